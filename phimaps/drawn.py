"""Big random arrays, kept as the recipe that draws them: small pickles, one draw everywhere."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from sklearn.utils._param_validation import Integral, Interval

from .errors import DrawError

__all__ = ["RANDOM_STATE", "Drawn", "generator", "seed_of"]

# What a map takes as its ``random_state``.
RANDOM_STATE: list[Any] = [
    Interval(Integral, 0, None, closed="left"),
    np.random.RandomState,
    np.random.Generator,
    None,
]
# How many entries a pickle keeps, by which a repeated draw is recognised, and how exactly.
KEPT, CLOSE = 32, 1e-6
# Mixed into every seed.
OURS = int.from_bytes(b"phimaps", "big")


def seed_of(random_state: Any) -> int:
    """The seed that a ``random_state`` stands for.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None
        A generator is left as it is: a copy is drawn from. None gives fresh entropy.

    Returns
    -------
    int
        For ``np.random.default_rng``.

    Examples
    --------
    >>> seed_of(3), seed_of(np.random.RandomState(0)) == seed_of(np.random.RandomState(0))
    (3, True)
    """
    if random_state is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        # Drawing from the generator itself would make a second binding differ from the first.
        return int.from_bytes(copy.deepcopy(random_state).bytes(16), "little")
    return int(random_state)


def generator(seed: int | tuple[int, ...]) -> np.random.Generator:
    """The random numbers of a seed, which are not those of ``np.random.default_rng(seed)``.

    Rows made by ``default_rng(0)`` would be the very numbers that a map draws by its seed 0, and
    nothing would be random any more.

    Parameters
    ----------
    seed : int or tuple of int

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> bool(generator(0).random() == np.random.default_rng(0).random())
    False
    """
    return np.random.default_rng([OURS, *(seed if isinstance(seed, tuple) else (seed,))])


@final
class Drawn:
    """An array of float64 that is drawn when it is first needed, and again after a pickle.

    It stands wherever a closed map takes an array. Copies and clones share it; a pickle holds the
    recipe and a few entries, by which the repeated draw is recognised.

    Parameters
    ----------
    recipe : callable
        A function of a module, found again by its name. From the arguments alone, a seed among
        them, it makes the array, by NumPy's generators.
    *arguments
        Numbers, texts, arrays, kernels: what can be pickled and never changes.

    Raises
    ------
    DrawError
        On first use after a pickle, where the recipe does not give the array that it gave.

    Examples
    --------
    >>> import pickle
    >>> weight = Drawn(normal, 1000, 200, 0)
    >>> weight.shape, len(pickle.dumps(weight)) < 2000
    ((1000, 200), True)
    >>> bool((np.asarray(pickle.loads(pickle.dumps(weight))) == np.asarray(weight)).all())
    True
    """

    __slots__ = ("_array", "_kept", "arguments", "recipe")

    def __init__(self, recipe: Callable[..., np.ndarray], *arguments: Any):
        self.recipe = recipe
        self.arguments = arguments
        self._array: np.ndarray | None = None
        # The shape and the entries of the draw that was pickled.
        self._kept: tuple[tuple[int, ...], np.ndarray] | None = None

    def _drawn(self) -> np.ndarray:
        if self._array is None:
            array = np.ascontiguousarray(self.recipe(*self.arguments), dtype=np.float64)
            if self._kept is not None:
                self._recognise(array, *self._kept)
            self._array = array
        return self._array

    def _recognise(self, array: np.ndarray, shape: tuple[int, ...], kept: np.ndarray) -> None:
        found = _entries(array)
        if array.shape == shape and np.allclose(found, kept, 0, CLOSE * np.abs(kept).max()):
            return
        raise DrawError(
            f"The random draw of {self.recipe.__name__} is not the one that was pickled.",
            got=f"shape {array.shape} with the last entry {found[-1]:.6g}",
            need=f"shape {shape} with the last entry {kept[-1]:.6g}, as when it was pickled",
            do="load it with the versions of phimaps and NumPy that wrote it, or fit again",
        )

    @property
    def tensor(self) -> torch.Tensor:
        """The array as a tensor that shares its memory; not to be written to."""
        return torch.from_numpy(self._drawn())

    @property
    def shape(self) -> tuple[int, ...]:
        return self._drawn().shape

    @property
    def ndim(self) -> int:
        return self._drawn().ndim

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    def __len__(self) -> int:
        return len(self._drawn())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self._drawn().view()
        array.setflags(write=False)
        return np.array(array, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"Drawn({self.recipe.__name__}, shape={self.shape})"

    def __copy__(self) -> Drawn:
        return self

    def __deepcopy__(self, memo: Any) -> Drawn:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        kept = self._kept
        if kept is None:
            kept = self.shape, _entries(self._drawn())
        return _again, (self.recipe, self.arguments, kept)


def _entries(array: np.ndarray) -> np.ndarray:
    """Entries from all over the array, the last one among them."""
    places = np.linspace(0, array.size - 1, min(KEPT, array.size)).astype(int)
    return array.ravel()[places]


def _again(
    recipe: Callable[..., np.ndarray],
    arguments: tuple[Any, ...],
    kept: tuple[tuple[int, ...], np.ndarray],
) -> Drawn:
    drawn = Drawn(recipe, *arguments)
    drawn._kept = kept
    return drawn


def normal(rows: int, columns: int, seed: int) -> np.ndarray:
    """Independent standard normal numbers."""
    return generator(seed).standard_normal((rows, columns))
