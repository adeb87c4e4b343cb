"""Examples as text: the line that is printed with a failure, and what is read from it."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from typing import Any

import numpy as np

from ..property import Property
from .check import Check
from .subject import Subject

__all__ = ["as_drawn", "line", "unpacked"]

# Draws longer than this are packed in a replay line.
LONG = 1200


def as_drawn(value: Any, subject: Subject) -> Any:
    if isinstance(value, tuple):
        return tuple(as_drawn(v, subject) for v in value)
    if isinstance(value, dict):
        import pandas as pd

        return pd.DataFrame(value)
    return np.asarray(value, dtype=subject.dtype) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """A draw as something whose ``repr`` evaluates back."""
    if isinstance(value, tuple):
        return tuple(_plain(v) for v in value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "to_dict"):
        return value.to_dict(orient="list")
    return value


def _packed(values: list[Any]) -> str:
    def coded(value: Any) -> Any:
        if isinstance(value, tuple):
            return {"tuple": [coded(v) for v in value]}
        if isinstance(value, np.ndarray):
            buffer = io.BytesIO()
            np.save(buffer, value)
            return {"array": base64.b64encode(buffer.getvalue()).decode()}
        return {"value": _plain(value)}

    text = json.dumps([coded(v) for v in values])
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(packed: str) -> list[Any]:
    def decoded(value: Any) -> Any:
        if "tuple" in value:
            return tuple(decoded(v) for v in value["tuple"])
        if "array" in value:
            return np.load(io.BytesIO(base64.b64decode(value["array"])))
        return value["value"]

    return [decoded(v) for v in json.loads(zlib.decompress(base64.b85decode(packed)))]


def line(subject: Subject, check: Check, claim: Any, draws: list[Any], profile: str,
         seed: int) -> str:  # fmt: skip
    """The call of `replay` that runs an example again."""
    texts = [repr(_plain(v)) for v in draws]
    if sum(map(len, texts)) > LONG or "nan" in " ".join(texts) or "inf" in " ".join(texts):
        texts = [f"packed={_packed(draws)!r}"]
    parts = [repr(check.name), _source(subject), *texts]
    if subject.given is not None:
        parts.append(f"domain={_written(subject.given, repr(subject.given), 'domain')}")
    if claim is not None and subject.claims is not None:
        parts.append(f"claims={_claimed(claim.value)}")
    if subject.data is not None and subject.data is not subject.given:
        parts.append("fit_on=fit_on")
    if seed:
        parts.append(f"random_state={seed}")
    if check.once and profile != "quick":
        parts.append(f"profile={profile!r}")
    return f"phimaps.testing.replay({', '.join(parts)})"


def _claimed(value: Any) -> str:
    if not isinstance(value, Property) or value.takes:
        return "claims"
    sign = "" if value.holds else "~"
    # Their notation is rounded, and a claim may fail by its last digits.
    return f"{sign}phimaps.{value.name}" + ("" if value.bound is None else f"({value.number!r})")


def _source(subject: Subject) -> str:
    """The object as code where its notation is code, else the name ``obj``."""
    if subject.kind in ("module", "function") or not hasattr(subject.obj, "get_params"):
        return "obj"
    return _written(subject.obj, subject.notation, "obj")


def _written(value: Any, text: str, otherwise: str) -> str:
    import phimaps as pm

    text = " ".join(text.split())
    # Arrays are written by shape and objects by address: that is no code.
    if any(sign in text for sign in ("<", "...", "float64[", "float32[")) or len(text) > 600:
        return otherwise
    if not type(value).__module__.startswith("phimaps"):
        return text
    return re.sub(
        r"(?<![\w.])([A-Za-z_]\w*)(?=\()",
        lambda m: f"phimaps.{m[1]}" if hasattr(pm, m[1]) else m[1],
        text,
    )
