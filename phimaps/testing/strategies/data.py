"""Images and data frames as people have them, as Hypothesis strategies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputTypeError, ParameterError, show
from ...spaces import Images
from ..frames import Frame
from .drawing import hypothesis_strategies
from .point_rows import points

__all__ = ["frames", "images"]

KINDS = ("uint8", "float32", "float64")


def images(
    channels: int, height: int, width: int, dtype: Any = "uint8", least: int = 1, most: int = 8
) -> Any:
    """Images, channels first: black ones, flat ones, single pixels, edges, patterns, noise.

    Parameters
    ----------
    channels, height, width : int
    dtype : {"uint8", "float32", "float64"}, default "uint8"
        Pixels of uint8 lie between 0 and 255, of floats between 0 and 1.
    least, most : int, default 1 and 8
        The number of images.

    Returns
    -------
    SearchStrategy
        Of arrays of shape (n, channels, height, width). They shrink towards one black image.

    Raises
    ------
    ParameterError, DependencyError
        When a size is not positive, or the dtype another one; when Hypothesis is not installed.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> @settings(max_examples=20, database=None, derandomize=True)
    ... @given(images(3, 8, 8))
    ... def are_bytes(x):
    ...     assert x.dtype == "uint8" and x.shape[1:] == (3, 8, 8)
    >>> are_bytes()
    """
    kind = _kind(dtype)
    high = 255.0 if kind == "uint8" else 1.0
    drawn = points(Images(channels, height, width, 0.0, high), least, most)
    if kind == "uint8":
        return drawn.map(lambda x: np.rint(x).astype(np.uint8))
    return drawn.map(lambda x: x.astype(kind))


def _kind(dtype: Any) -> str:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in KINDS:
        raise ParameterError(
            f"Images of dtype {show(dtype)} cannot be drawn.",
            got=f"dtype={show(dtype)}",
            need="uint8 for pixels from 0 to 255, float32 or float64 for pixels from 0 to 1",
            do="images(3, 8, 8, dtype='uint8')",
        )
    return name


def frames(frame: Frame, least: int = 1, most: int = 24, *, labels: bool = True) -> Any:
    """Data frames of a domain, with the row labels that frames have after sorting and joining.

    Parameters
    ----------
    frame : Frame
    least, most : int, default 1 and 24
        The number of rows.
    labels : bool, default True
        Whether the labels of the rows may be other than 0, ..., n - 1: turned around, all the same,
        or texts.

    Returns
    -------
    SearchStrategy
        Of pandas.DataFrame.

    Raises
    ------
    InputTypeError, ParameterError, DependencyError
        When it is no `Frame`; when the numbers of rows do not make sense; when Hypothesis or pandas
        is not installed.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> domain = Frame({"hour": range(24), "weight": (0.1, 50.0)})
    >>> @settings(max_examples=20, database=None, derandomize=True)
    ... @given(frames(domain))
    ... def hours_of_a_day(rows):
    ...     assert rows["hour"].between(0, 23).all()
    >>> hours_of_a_day()
    """
    st = hypothesis_strategies()
    if not isinstance(frame, Frame):
        raise InputTypeError(
            f"Data frames of {show(frame)} cannot be drawn.",
            got=type(frame).__name__,
            need="a Frame, which says what each column may hold",
            do="frames(Frame({'hour': range(24), 'weight': (0.1, 50.0)}))",
        )
    drawn = points(frame, least, most)
    if not labels:
        return drawn

    def labelled(choice: tuple[Any, str]) -> Any:
        rows, kind = choice
        n = len(rows)
        names: dict[str, Any] = {
            "turned": range(n - 1, -1, -1),
            "same": [0] * n,
            "texts": [f"row {i}" for i in range(n)],
        }
        return rows.set_axis(names[kind], axis=0) if kind in names else rows

    kinds = st.sampled_from(["plain", "turned", "same", "texts"])
    return st.tuples(drawn, kinds).map(labelled)
