"""Hand-built features: expressions in the columns of a table."""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import field
from keyword import iskeyword
from math import inf, isfinite
from typing import Any, final

import numpy as np
import torch

from ..errors import InputError, ParameterError, PhimapsError, ShapeError
from ..ingest import brief_names
from ..map import FeatureMap, Given
from ..map.term import Fact
from ..proof import Reason, Strength
from ..property import Affine, Continuous, Injective, Lipschitz, LowerLipschitz
from ..spaces import Box, Image, Space
from ..witness import Collision
from .enclosure import Enclosed, Undefined, affine, enclose, is_number, is_range, lipschitz
from .evaluation import Program
from .expression import Name, Node
from .expression import names as names_in
from .parsing import read, tidy

__all__ = ["Columns"]

PARAMETERS = ("expressions", "on_domain_error", "ranges")
KEPT = {*PARAMETERS, "columns", "_metadata_request", "_sklearn_output_config"}
FREE = (-inf, inf)
ENCLOSED = "interval arithmetic with outward rounding encloses every expression on the space"


@final
class Columns(FeatureMap):
    """x ↦ (e_1(x), ..., e_k(x)), expressions in named columns.

    An open map: it is bound to data by the names of their columns, and reads only the columns
    that it mentions. Those of an array are named x0, x1, ... `over` binds it to names without data.

    Parameters
    ----------
    *expressions : str, float or pm.col(...)
        Numbers, column names, ``+ - * / **``, parentheses, and the functions abs, arctan, cos, exp,
        expm1, log, log10, log1p, maximum, minimum, sin, sqrt, square and tanh. A column whose name
        is not an identifier stands in backticks. Text is never executed as code.
    on_domain_error : "raise", "nan" or float, default "raise"
        What becomes of entries that are not defined (division by zero, the logarithm of a number
        <= 0, a column outside its declared range): an error that names the row, NaN, or a number.
    **ranges : (low, high)
        The range of a column; ``None`` leaves a side open. Data outside count as outside the
        domain, and what is proved of the map is proved there.

    Raises
    ------
    ExpressionError
        When an expression cannot be read, with a caret under the place.

    Examples
    --------
    >>> import numpy as np, phimaps as pm
    >>> phi = pm.Columns("1", "x0 / x1", "x0 * x1", x1=(0.1, 50))
    >>> phi.fit_transform(np.array([[3.0, 2.0], [1.0, 4.0]]))
    array([[1.  , 1.5 , 6.  ],
           [1.  , 0.25, 4.  ]])
    >>> phi.get_feature_names_out()
    array(['1', 'x0 / x1', 'x0 * x1'], dtype=object)
    """

    expressions: tuple[Any, ...] = ()
    on_domain_error: str | float = "raise"
    ranges: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None

    _parameter_constraints = dict.fromkeys(PARAMETERS, "no_validation")  # type: ignore

    def __init__(
        self, /, *expressions: Any, on_domain_error: str | float = "raise", **ranges: Any
    ) -> None:
        self.expressions = expressions
        self.on_domain_error = on_domain_error
        self.ranges = ranges
        # scikit-learn builds estimators without arguments and sets them afterwards.
        if expressions:
            self.check_parameters()

    @classmethod
    def example(cls) -> Columns:
        return cls("1", "x0", "x0 ** 2")

    def over(self, *columns: str) -> Columns:
        """The closed map on points whose coordinates have these names.

        Parameters
        ----------
        *columns : str
            All coordinates, in order.

        Returns
        -------
        Columns

        Raises
        ------
        InputError
            When a column that an expression mentions is missing, or a name occurs twice.

        Examples
        --------
        >>> import torch
        >>> Columns("a / b").over("a", "b")(torch.tensor([[3.0, 2.0]]))
        tensor([[1.5000]])
        """
        self.check_parameters()
        self._check_columns(columns)
        twin = self._shallow_copy()
        twin.columns = tuple(columns)
        return twin

    # --- the protocol ----------------------------------------------------------------------------
    @property
    def closed(self) -> bool:
        return self.columns is not None

    def close(self, x: torch.Tensor, given: Given) -> Columns:
        if x.ndim != 2:
            raise self._no_rows(x)
        return self.over(*given.names)

    def bound(self, x: Any, given: Given) -> Any:
        unnamed = tuple(f"x{i}" for i in range(len(given.names)))
        if self.columns is not None and tuple(given.names) not in (self.columns, unnamed):
            raise InputError(
                "The columns are not those to which the map is bound.",
                got=f"columns {brief_names(list(given.names))}",
                need=f"columns {brief_names(list(self.columns))}, in this order",
                do="bind the open map: Columns(...).bind(X)",
            )
        return super().bound(x, given)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.columns is None:
            return super().forward(x)
        return self._program(x)(x, self.on_domain_error)

    def write(self, x: torch.Tensor, out: torch.Tensor) -> None:
        self._program(x)(x, self.on_domain_error, out)

    def _program(self, x: torch.Tensor) -> Program:
        assert self.columns is not None
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise self._no_rows(x)
        if "program" not in self._cache:
            places = {name: i for i, name in enumerate(self.columns)}
            self._cache["program"] = Program(self._nodes(), places, self._bounds(), self._texts())
        return self._cache["program"]

    def _no_rows(self, x: Any) -> ShapeError:
        width = "d" if self.columns is None else len(self.columns)
        return ShapeError(
            "Columns takes rows of named numbers.",
            got=f"shape {tuple(x.shape)}",
            need=f"shape (n, {width})",
            do="put pm.Flatten() before it, or select the columns first",
        )

    def reads(self, names: Sequence[str]) -> frozenset[str]:
        self.check_parameters()
        self._check_columns(names)
        return frozenset(self._used())

    @property
    def takes(self) -> tuple[int, ...] | None:
        return None if self.columns is None else (len(self.columns),)

    @property
    def gives(self) -> tuple[int, ...]:
        return (len(self.expressions),)

    def names_out(self, names: Sequence[str], shape: tuple[int, ...], label: str) -> Sequence[str]:
        return self._texts()

    # --- what is known ---------------------------------------------------------------------------
    @property
    def domain(self) -> Space | None:
        if self.columns is None:
            return None
        return Box(*np.array([self._bounds().get(name, FREE) for name in self.columns]).T)

    def undefined(self, on: Space) -> str | None:
        if self.columns is None or on.shape != self.takes:
            return None
        lows, highs = on.bounds()
        for name, low, high in zip(self.columns, lows, highs, strict=True):
            least, most = self._bounds().get(name, FREE)
            if not (least <= low and high <= most):
                return (
                    f"column {name!r} lies in [{low:g}, {high:g}] there, and its declared range "
                    f"is [{least:g}, {most:g}]"
                )
        return None

    def facts(self, on: Space) -> Iterator[Fact]:
        if self.columns is None or on.shape != self.takes or self.undefined(on) is not None:
            return
        nodes = self._nodes()
        if all(map(affine, nodes)):
            yield Affine, "sums and multiples of columns and constants are affine"
        known = [e for e in self._enclosed(on) if e is not None]
        if len(known) < len(nodes):
            return
        if {node.name for node in nodes if isinstance(node, Name)} == set(self.columns):
            for claim in (Injective, LowerLipschitz(1.0)):
                yield claim, "every coordinate of the point is among the expressions"
        yield Continuous, Reason(ENCLOSED, Strength.COMPUTED)
        yield (
            Lipschitz(lipschitz(known)),
            Reason(
                "the Frobenius norm of enclosures of the partial derivatives, on the convex hull "
                "of the space",
                Strength.COMPUTED,
                "Clarke (1983), theorem 2.3.7",
            ),
        )
        collision = self._unread(on)
        if collision is not None:
            yield ~Injective, Reason(collision.because, Strength.WITNESS, witness=collision)

    def _unread(self, on: Space) -> Collision | None:
        """Two points that differ only in a column that no expression mentions."""
        chords = on.chords()
        if chords is None:
            return None
        low, high, point = chords
        for i, name in enumerate(self.columns or ()):
            if name not in self._used():
                x, y = np.array(point), np.array(point)
                x[i], y[i] = max(low[i], point[i] - 1), min(high[i], point[i] + 1)
                if x[i] < y[i]:
                    return Collision(x, y, f"no expression mentions the column {name!r}")
        return None

    def image(self, on: Space) -> Image:
        if self.columns is None or on.shape != self.takes or self.undefined(on) is not None:
            return super().image(on)
        values = [FREE if e is None else e.value for e in self._enclosed(on)]
        return Image(Box(*np.array(values).T))

    def _enclosed(self, on: Space) -> list[Enclosed | None]:
        """Each expression on the space, or None where it is not shown to be defined."""
        low, high = (np.asarray(v, dtype=np.float64) for v in on.bounds())
        key = ("enclosed", low.tobytes(), high.tobytes())
        if key not in self._cache:
            ends = map(tuple, np.stack([low, high], axis=1).tolist())
            box = dict(zip(self.columns or (), ends, strict=True))
            self._cache[key] = [_enclose(node, box) for node in self._nodes()]
        return self._cache[key]

    # --- the parameters, read --------------------------------------------------------------------
    def _nodes(self) -> tuple[Node, ...]:
        if "nodes" not in self._cache:
            self._cache["nodes"] = tuple(map(read, self.expressions))
        return self._cache["nodes"]

    def _texts(self) -> tuple[str, ...]:
        pairs = zip(self.expressions, self._nodes(), strict=True)
        return tuple(tidy(e) if isinstance(e, str) else str(n) for e, n in pairs)

    def _used(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for node in self._nodes() for name in names_in(node)))

    def _bounds(self) -> dict[str, tuple[float, float]]:
        return {
            name: (-inf if low is None else float(low), inf if high is None else float(high))
            for name, (low, high) in self.ranges.items()
        }

    def _check_columns(self, columns: Sequence[str]) -> None:
        for name in self._used():
            if list(columns).count(name) == 1:
                continue
            what, do = f"There are two columns {name!r}.", "rename one of them"
            if name not in columns:
                what = f"There is no column {name!r}."
                near = difflib.get_close_matches(name, map(str, columns), n=1)
                do = f"did you mean {near[0]!r}?" if near else "an array's are named x0, x1, ..."
            got, need = (f"columns {brief_names(list(c))}" for c in (columns, self._used()))
            raise InputError(what, got=got, need=f"{need}, each once", do=do)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not isinstance(self.expressions, tuple | list) or not self.expressions:
            raise ParameterError(
                "The 'expressions' parameter of Columns must hold at least one expression.",
                got=f"expressions={self.expressions!r}",
                need="a non-empty tuple of str, numbers or pm.col(...)",
                do="Columns('1', 'volume / weight')",
            )
        seen: dict[Node, str] = {}
        for node, text in zip(self._nodes(), self._texts(), strict=True):
            if node in seen:
                raise ParameterError(
                    "Two expressions are the same.",
                    got=f"{seen[node]!r} and {text!r}",
                    need="expressions that differ",
                    do="leave one out",
                )
            seen[node] = text
        self._check_policy()
        self._check_ranges()

    def _check_policy(self) -> None:
        policy = self.on_domain_error
        known = policy in ("raise", "nan") if isinstance(policy, str) else is_number(policy)
        if not known or (not isinstance(policy, str) and not isfinite(policy)):
            raise ParameterError(
                "The 'on_domain_error' parameter of Columns cannot be used.",
                got=f"on_domain_error={policy!r}",
                need="'raise', 'nan' or a finite number",
                do="Columns(..., on_domain_error='nan')",
            )

    def _check_ranges(self) -> None:
        if not isinstance(self.ranges, dict):
            raise ParameterError(
                "The 'ranges' parameter of Columns must be a dict.",
                got=f"ranges={self.ranges!r}",
                need="a dict of column names to (low, high)",
                do="set_params(ranges={'weight': (0.1, 50)})",
            )
        used = self._used()
        for name, pair in self.ranges.items():
            if name not in used:
                near = difflib.get_close_matches(str(name), [*used, "on_domain_error"], n=1)
                raise ParameterError(
                    f"A range is given for {name!r}, which no expression mentions.",
                    got=f"{name}={pair!r}",
                    need=f"ranges of {brief_names(list(used)) if used else 'no column'}",
                    do=f"did you mean {near[0]!r}?" if near else "leave it out",
                )
            if not is_range(pair):
                raise ParameterError(
                    f"The range of {name!r} is not a range.",
                    got=f"{name}={pair!r}",
                    need="(low, high) with low < high; None leaves a side open",
                    do=f"{name}=(0, None)",
                )

    # --- scikit-learn ----------------------------------------------------------------------------
    def __sklearn_clone__(self) -> Columns:
        twin = type(self).__new__(type(self))
        for name in KEPT & set(vars(self)):
            object.__setattr__(twin, name, copy.deepcopy(vars(self)[name]))
        twin._forget()
        return twin

    def __repr__(self) -> str:
        try:
            shown = [repr(text) for text in self._texts()]
        except (PhimapsError, TypeError):
            shown = [repr(self.expressions)]
        if self.on_domain_error != "raise":
            shown.append(f"on_domain_error={self.on_domain_error!r}")
        ranges = self.ranges if isinstance(self.ranges, dict) else {}
        plain = [name for name in ranges if str(name).isidentifier() and not iskeyword(name)]
        shown += [f"{name}={ranges[name]!r}" for name in plain]
        if len(plain) < len(ranges):
            shown.append(f"**{ {k: v for k, v in ranges.items() if k not in plain}!r}")
        bound = f".over({', '.join(map(repr, self.columns))})" if self.columns is not None else ""
        return f"Columns({', '.join(shown)}){bound}"


# scikit-learn reads the parameters off the constructor's signature and knows no `*expressions`;
# people and editors see the true one.
Columns.__signature__ = inspect.signature(Columns)  # type: ignore[attr-defined]
Columns.__init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in ("self", *PARAMETERS)
    ]
)


def _enclose(node: Node, box: dict[str, tuple[float, float]]) -> Enclosed | None:
    try:
        return enclose(node, box)
    except Undefined:
        return None
