"""Evaluating expressions in columns on tensors, and finding the rows where they are undefined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, final

import torch

from ..errors import DomainError
from .expression import Name, Node, Operation

__all__ = ["Program"]

# Rows whose columns, intermediates and outputs stay in the processor's cache together. Few enough
# that torch starts no threads for them (it does from 32768 numbers on): memory is the bottleneck,
# and on a machine that is busy with something else each start can cost a time slice.
BLOCK_ROWS = 32000
# Up to here a power is a product, which is exact on integers and faster than torch.pow.
LARGEST_PRODUCT = 16

KERNELS: dict[str, Callable[..., torch.Tensor]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
    "/": torch.div,
    "neg": torch.neg,
    "abs": torch.abs,
    "arctan": torch.arctan,
    "cos": torch.cos,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "tanh": torch.tanh,
}
# Operations that may be finite although an operand is not, by the operands that they can hide.
HIDING = {
    "/": (1,),
    "arctan": (0,),
    "exp": (0,),
    "expm1": (0,),
    "maximum": (0, 1),
    "minimum": (0, 1),
    "tanh": (0,),
}


@final
@dataclass(frozen=True)
class Guard:
    """Where an operation is undefined.

    Parameters
    ----------
    operand : int
        The operand to blame.
    why : str
        What goes wrong.
    need : str
        The condition, with ``{}`` for the operand.
    bad : callable
        The operands' values to the undefined rows.
    """

    operand: int
    why: str
    need: str
    bad: Callable[..., torch.Tensor]


GUARDS = {
    "/": Guard(1, "a division by zero", "{} != 0", lambda a, b: b == 0),
    "log": Guard(0, "a logarithm of a number <= 0", "{} > 0", lambda a: a <= 0),
    "log10": Guard(0, "a logarithm of a number <= 0", "{} > 0", lambda a: a <= 0),
    "log1p": Guard(0, "a logarithm of a number <= 0", "{} > -1", lambda a: a <= -1),
    "sqrt": Guard(0, "a square root of a negative number", "{} >= 0", lambda a: a < 0),
}


def _power_guard(exponent: float | None) -> Guard | None:
    if exponent is None:
        return Guard(
            0,
            "a power of 0 with a negative exponent, or of a negative number with a fractional one",
            "{} > 0",
            lambda a, b: ((a < 0) & (b != torch.floor(b))) | ((a == 0) & (b < 0)),
        )
    if exponent.is_integer():
        why = "a negative power of zero"
        return None if exponent >= 0 else Guard(0, why, "{} != 0", lambda a, b: a == 0)
    if exponent > 0:
        why = "a fractional power of a negative number"
        return Guard(0, why, "{} >= 0", lambda a, b: a < 0)
    why = "a negative fractional power of a number <= 0"
    return Guard(0, why, "{} > 0", lambda a, b: a <= 0)


def _power(exponent: float | None) -> Callable[..., torch.Tensor]:
    if exponent is None:
        return torch.pow
    if exponent.is_integer() and abs(exponent) <= LARGEST_PRODUCT:
        return lambda base, _, out=None: _product(base, int(exponent), out)
    return lambda base, _, out=None: torch.pow(base, exponent, out=out)


def _product(base: torch.Tensor, exponent: int, out: torch.Tensor | None) -> torch.Tensor:
    """base ** exponent by squaring; exact where the result is, as every factor is a divisor."""
    if exponent <= 0:
        if exponent == 0:
            ones = torch.ones_like(base)
            return ones if out is None else out.copy_(ones)
        return torch.reciprocal(_product(base, -exponent, None), out=out)
    result: torch.Tensor | None = None
    while True:
        if exponent & 1:
            last = out if exponent == 1 else None
            result = base if result is None else torch.mul(result, base, out=last)
        exponent >>= 1
        if not exponent:
            break
        last = out if exponent == 1 and result is None else None
        base = torch.mul(base, base, out=last)
    return result if out is None or result is out else out.copy_(result)  # type: ignore


@final
class Step:
    """One operation of a program, with the places of its operands' values."""

    def __init__(self, node: Operation, operands: tuple[int, ...]):
        self.node, self.operands = node, operands
        power = node.operands[1].value if node.symbol == "**" else None
        self.kernel = _power(power) if node.symbol == "**" else KERNELS[node.symbol]
        self.guard = _power_guard(power) if node.symbol == "**" else GUARDS.get(node.symbol)
        if node.symbol == "/" and node.operands[1].value:
            self.guard = None
        self.hides = HIDING.get(node.symbol, ())
        if node.symbol == "**" and (power is None or power <= 0):
            self.hides = (0, 1)


@final
class Program:
    """x ↦ (e_1(x), ..., e_k(x)), each distinct subexpression evaluated once.

    Parameters
    ----------
    nodes : sequence of Node
        The expressions.
    places : dict of str to int
        The index of each column.
    ranges : dict of str to (float, float)
        Declared bounds of columns; data outside them count as outside the domain.
    texts : sequence of str
        The expressions as the user wrote them, for messages.

    Examples
    --------
    >>> from phimaps.maps.parsing import parse
    >>> program = Program([parse("a / b"), parse("a / b + 1")], {"a": 0, "b": 1}, {}, ["q", "q1"])
    >>> program(torch.tensor([[1.0, 2.0]]), "raise")
    tensor([[0.5000, 1.5000]])
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        places: dict[str, int],
        ranges: dict[str, tuple[float, float]],
        texts: Sequence[str],
    ):
        self.nodes, self.places, self.texts = tuple(nodes), places, tuple(texts)
        self.slots: dict[Node, int] = {}
        self.leaves: list[tuple[int, Node]] = []
        self.steps: list[tuple[int, Step]] = []
        self.outputs = tuple(self._slot(node) for node in self.nodes)
        used = {node.name for _, node in self.leaves if isinstance(node, Name)}
        self.ranges = {name: bounds for name, bounds in ranges.items() if name in used}
        self.rounded: dict[torch.dtype, dict[str, tuple[float, float]]] = {}
        self.below = [self._below(slot) for slot in self.outputs]
        self.hidden = self._hidden()
        guarded = {slot for slot, step in self.steps if step.guard}
        self.watched = [j for j, below in enumerate(self.below) if below & guarded]

    def _slot(self, node: Node) -> int:
        if node in self.slots:
            return self.slots[node]
        if isinstance(node, Operation) and node.value is None:
            operands = tuple(self._slot(part) for part in node.operands)
            slot = self.slots[node] = len(self.slots)
            self.steps.append((slot, Step(node, operands)))
        else:
            slot = self.slots[node] = len(self.slots)
            self.leaves.append((slot, node))
        return slot

    def _below(self, slot: int) -> frozenset[int]:
        """The values on which a value depends, itself included."""
        found = {slot}
        for target, step in reversed(self.steps):
            if target in found:
                found.update(step.operands)
        return frozenset(found)

    def _hidden(self) -> list[int]:
        """Guarded values that may be infinite while every output is finite."""
        shown = set(self.outputs)
        for slot, step in reversed(self.steps):
            if slot in shown:
                kept = [s for i, s in enumerate(step.operands) if i not in step.hides]
                shown.update(kept)
        return [slot for slot, step in self.steps if step.guard and slot not in shown]

    # --- values ----------------------------------------------------------------------------------
    def __call__(
        self, x: torch.Tensor, policy: str | float, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Evaluate all rows.

        Parameters
        ----------
        x : Tensor of shape (n, d)
        policy : "raise", "nan" or float
            What to do with entries outside the domain.
        out : Tensor of shape (n, k), optional
            Where to write the values.

        Returns
        -------
        Tensor of shape (n, k)

        Raises
        ------
        DomainError
            For the first row outside the domain, with the policy "raise".
        """
        if x.requires_grad and torch.is_grad_enabled():
            return self._with_gradient(x, policy)
        if out is None:
            out = x.new_empty((len(x), len(self.outputs)))
        # A device has no cache to stay in, and pays for each start.
        rows = BLOCK_ROWS if x.device.type == "cpu" else max(len(x), 1)
        for start in range(0, len(x), rows):
            part, target = x[start : start + rows], out[start : start + rows]
            values = self._run(part, target)
            if not self._sound(part, target, values):
                bad = self._outside(part)
                if bool(bad.any()):
                    target[bad] = self._fill(x, bad, start, policy)
        return out

    def _with_gradient(self, x: torch.Tensor, policy: str | float) -> torch.Tensor:
        values = self._run(x, None)
        columns = [values[slot].expand(len(x)) for slot in self.outputs]
        out = torch.stack(columns, dim=1)
        if not len(x) or self._sound(x.detach(), out.detach(), values):
            return out
        bad = self._outside(x.detach())
        if not bool(bad.any()):
            return out
        fill = self._fill(x.detach(), bad, 0, policy)
        for j, node in enumerate(self.nodes):
            good = ~bad[:, j]
            if not bool(good.all()):
                # Undefined rows are left out rather than masked: a masked NaN still poisons the
                # gradient of whatever comes before.
                alone = Program([node], self.places, {}, [self.texts[j]])
                fresh = alone._run(x[good], None)[alone.outputs[0]]
                filled = x.detach().new_full((len(x),), fill)
                columns[j] = filled.index_put((good,), fresh)
        return torch.stack(columns, dim=1)

    def _run(self, x: torch.Tensor, out: torch.Tensor | None) -> list[torch.Tensor]:
        """The values of all subexpressions; those of the expressions are written into `out`."""
        values: list[Any] = [None] * len(self.slots)
        for slot, leaf in self.leaves:
            if isinstance(leaf, Name):
                values[slot] = x[:, self.places[leaf.name]]
            else:
                values[slot] = _scalar(leaf.value, x)
        target = {} if out is None else {s: out[:, j] for j, s in enumerate(self.outputs)}
        for slot, step in self.steps:
            operands = [values[s] for s in step.operands]
            if slot in target:
                values[slot] = step.kernel(*operands, out=target[slot])
            else:
                values[slot] = step.kernel(*operands)
        if out is not None:
            for j, slot in enumerate(self.outputs):
                if values[slot] is not target[slot] or j != self._last(slot):
                    out[:, j] = values[slot]
        return values

    def _last(self, slot: int) -> int:
        return len(self.outputs) - 1 - self.outputs[::-1].index(slot)

    # --- the domain ------------------------------------------------------------------------------
    def _sound(self, x: torch.Tensor, out: torch.Tensor, values: list[torch.Tensor]) -> bool:
        """Whether a quick look shows that no row lies outside the domain."""
        looked_at = [out[:, j] for j in self.watched]
        looked_at += [values[slot].detach() for slot in self.hidden]
        if not all(_finite(v) for v in looked_at):
            return False
        for name, (low, high) in self._ranges_as(x).items():
            least, greatest = torch.aminmax(x[:, self.places[name]])
            if not (low <= float(least) and float(greatest) <= high):
                return False
        return True

    def _ranges_as(self, x: torch.Tensor) -> dict[str, tuple[float, float]]:
        """The bounds as the data's dtype has them: 0.1 in float32 is more than 0.1."""
        if x.dtype not in self.rounded:
            ends = {name: [float(_scalar(v, x)) for v in b] for name, b in self.ranges.items()}
            self.rounded[x.dtype] = {name: (low, high) for name, (low, high) in ends.items()}
        return self.rounded[x.dtype]

    def _faults(self, x: torch.Tensor) -> list[tuple[int, torch.Tensor, Step | str]]:
        """Each place where some rows leave the domain: its value, those rows, and what it is."""
        with torch.no_grad():
            values = self._run(x, None)
        found: list[tuple[int, torch.Tensor, Step | str]] = []
        for slot, leaf in self.leaves:
            if isinstance(leaf, Name) and leaf.name in self.ranges:
                low, high = self._ranges_as(x)[leaf.name]
                found.append((slot, (values[slot] < low) | (values[slot] > high), leaf.name))
        for slot, step in self.steps:
            if step.guard:
                bad = step.guard.bad(*(values[s] for s in step.operands))
                found.append((slot, bad.expand(len(x)), step))
        return [fault for fault in found if bool(fault[1].any())]

    def _outside(self, x: torch.Tensor) -> torch.Tensor:
        """Which entries of the output lie outside the domain; bool of shape (n, k)."""
        bad = torch.zeros((len(x), len(self.outputs)), dtype=torch.bool, device=x.device)
        for slot, rows, _ in self._faults(x):
            for j, below in enumerate(self.below):
                if slot in below:
                    bad[:, j] |= rows
        return bad

    def _fill(self, x: torch.Tensor, bad: torch.Tensor, start: int, policy: str | float) -> float:
        """What to write into bad entries; an error where it is "raise".

        `bad` begins at row `start` of `x`.
        """
        if policy != "raise":
            return nan if policy == "nan" else float(policy)
        row = start + int(bad.any(dim=1).nonzero()[0])
        j = int(bad[row - start].nonzero()[0])
        fault = next(f for f in self._faults(x[row : row + 1]) if f[0] in self.below[j])[2]
        shown = [
            f"{node.name}={float(x[row, self.places[node.name]]):.6g}"
            for slot, node in self.leaves
            if slot in self.below[j] and isinstance(node, Name)
        ]
        if isinstance(fault, str):
            low, high = self.ranges[fault]
            what = f"Column {fault!r} leaves its declared range in row {row}"
            need = " and ".join(
                text
                for text, bound in ((f"{fault} >= {low:g}", low), (f"{fault} <= {high:g}", high))
                if isfinite(bound)
            )
        else:
            guard = fault.guard
            assert guard is not None
            blamed = fault.node.operands[guard.operand]
            what, need = f"Row {row} has {guard.why}", guard.need.format(_bracket(blamed))
        raise DomainError(
            f"{what}, in '{self.texts[j]}'.",
            got=", ".join(shown),
            need=need,
            do="drop such rows, or mark them: Columns(..., on_domain_error='nan')",
        )


def _scalar(value: float | None, like: torch.Tensor) -> torch.Tensor:
    # By way of float64, as torch refuses numbers that overflow the dtype.
    return torch.tensor(value, dtype=torch.float64).to(like)


def _bracket(node: Node) -> str:
    plain = not isinstance(node, Operation) or node.symbol.isalnum()
    return str(node) if plain else f"({node})"


def _finite(values: torch.Tensor) -> bool:
    if not values.numel():
        return True
    least, greatest = torch.aminmax(values)
    # NaN passes through both; a span that overflows only costs the exact look.
    return isfinite(float(greatest - least))
