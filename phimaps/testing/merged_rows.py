"""Rows of data frames that a map merges: found by changing one column at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from .trial import Trial

__all__ = ["merged_rows"]

# Rows that are started from, for a budget of 1; how many numbers of an interval, values of a list.
BASES, NUMBERS, VALUES = 24, 12, 64
EPS = float(np.finfo(np.float64).eps)


def merged_rows(trial: Trial) -> None:
    """Fail where rows that differ in one column have the same features up to rounding.

    Two values of a list that cannot be told apart are merged. Of the numbers of an interval all
    must be the same, wherever the other columns are: then the column is not looked at. Fewer may
    agree by saturation.
    """
    if not trial.claim.holds:
        trial.skip("that rows are merged is not contradicted by finding none")
    frame, instance = trial.domain, trial.fresh()
    bases = trial.rows(1, max(4, int(BASES * min(trial.profile.budget, 2.0))))
    features = instance.features(bases)
    scale = np.abs(features).max(axis=0, initial=0.0)
    unseen: dict[Any, int] = {}
    for name, column in frame.columns.items():
        interval = isinstance(column, tuple)
        values = (
            np.linspace(column[0], column[1], NUMBERS).tolist()
            if interval
            else list(column)[:VALUES]
        )
        if name in frame.missing:
            values = [*values, None]
        for k in range(len(bases)):
            rows = bases.iloc[[k] * len(values)].reset_index(drop=True)
            rows[name] = _like(values, bases[name])
            found = instance.features(rows)
            if len(found) != len(rows):
                trial.skip(f"{len(rows)} rows went in, and {len(found)} came out")
            size = np.maximum(scale, np.abs(found).max(axis=0, initial=0.0))
            if interval and name in frame.missing:
                # What stands for a missing value is told from each of the numbers.
                found, missing = found[:-1], found[-1]
                filled = np.flatnonzero((np.abs(found - missing) <= 16 * EPS * size).all(axis=1))
                if len(filled) == 1:
                    _merged(trial, name, (values[int(filled[0])], None), missing, bases, k)
            if interval:
                if not (np.abs(found - found[0]) <= 8 * EPS * size).all():
                    break
                unseen[name] = unseen.get(name, 0) + 1
                continue
            pair = _pair(found, size)
            if pair is not None:
                i, j = pair
                _merged(trial, name, (values[i], values[j]), found[i], bases, k)
    for name, times in unseen.items():
        if times == len(bases) and times >= 3:
            trial.fail(
                f"The column {name} is not looked at: its values change no feature.",
                got=f"the same features for {NUMBERS} values of {name} in each of {times} rows",
                need="different features for different rows",
                do=f"pass {name} through, for instance with remainder='passthrough'",
            )


def _merged(
    trial: Trial, name: str, two: tuple[Any, Any], features: np.ndarray, bases: Any, k: int
) -> None:
    told = ", ".join(f"{c}={bases[c].iloc[k]!r}" for c in bases.columns if c != name)
    trial.fail(
        f"The rows with {name}={two[0]!r} and {name}={two[1]!r} have the same features.",
        got=f"{_short(features)} for both" + (f", with {told}" if told else ""),
        need="different features for different rows: what is merged is lost for any model",
        do=f"give every value of {name} features of its own; unseen values and missing ones a flag,"
        " a cycle the length of its period",
    )


def _like(values: list[Any], column: Any) -> Any:
    import pandas

    if isinstance(column.dtype, pandas.CategoricalDtype):
        return pandas.Categorical(values, dtype=column.dtype)
    made = pandas.Series(values)
    return made.astype(column.dtype) if None in values else made


def _pair(found: np.ndarray, size: np.ndarray) -> tuple[int, int] | None:
    """Two rows whose features agree up to rounding."""
    for i in range(len(found)):
        off = np.abs(found[i + 1 :] - found[i])
        same = np.flatnonzero((off <= 16 * EPS * size).all(axis=1))
        if len(same):
            return i, i + 1 + int(same[0])
    return None


def _short(values: np.ndarray) -> str:
    listed = ", ".join(f"{v:.6g}" for v in values[:8])
    return f"[{listed}{', ...' if len(values) > 8 else ''}]"
