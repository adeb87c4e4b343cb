"""The pieces of the page: pictures, verdicts, tables, as HTML."""

from __future__ import annotations

from html import escape
from math import inf

import numpy as np

from ..map import FeatureMap
from ..page.pictures import ACTIVATION, SIGNED, Scale, data_uri
from ..proof import Verdict
from .layers import Layer
from .tasks import Contest

__all__ = [
    "claim",
    "errors_table",
    "image",
    "layer_figure",
    "legend",
    "notation",
    "picture",
    "power",
    "ramp",
    "terms",
]

# How each property is put to a reader.
WORDS = {
    "Continuous": "continuous",
    "Injective": "injective: no two points have the same features",
    "Lipschitz": "stretches every distance at most L times",
    "LowerLipschitz": "keeps at least l > 0 times every distance",
    "Universal": "keeps networks universal",
}
LONG = 100


def image(pixels: np.ndarray, alt: str, sharp: bool = True) -> str:
    """An <img> that holds its own data; `sharp` shows each pixel as a square."""
    kind = ' class="pixels"' if sharp else ""
    return f'<img{kind} src="{data_uri(pixels)}" alt="{escape(alt)}">'


def picture(values: np.ndarray, scale: Scale, low: float, high: float, caption: str) -> str:
    """A small picture with a caption, which is its alternative text too."""
    shown = image(scale(values, low, high), caption)
    return f'<div class="picture">{shown}{escape(caption)}</div>'


def ramp(scale: Scale, low: float | str, high: float | str, text: str) -> str:
    """The colours of a scale with the numbers that they stand for."""
    ends = [end if isinstance(end, str) else _number(end) for end in (low, high)]
    return (
        f"<span>{escape(text)} from {escape(ends[0])}"
        f'<span class="ramp" style="background:{scale.css()}"></span>{escape(ends[1])}</span>'
    )


def legend(*ramps: str) -> str:
    """Several colour scales in a row."""
    return f'<div class="legend">{"".join(ramps)}</div>'


def errors_table(contest: Contest) -> str:
    """The errors of a contest with bars."""
    worst = max(max(r.error for r in contest.results), 1e-9)
    least = min(r.wrong for r in contest.results)
    rows = []
    for r in contest.results:
        best = ' class="best"' if r.wrong == least else ""
        rows.append(
            f"<tr{best}><td>{escape(r.candidate.name)}"
            f'<span class="math">{escape(r.candidate.formula)}</span></td>'
            f'<td class="number">{r.dimension}</td>'
            f'<td class="number">{r.wrong} of {r.total}</td>'
            f'<td class="number">{r.shown}</td>'
            f'<td class="bars"><div class="bar" style="--w:{100 * r.error / worst:.1f}%"></div>'
            "</td></tr>"
        )
    return (
        '<div class="wide"><table><thead><tr><th scope="col">feature map</th>'
        '<th scope="col" class="number">d</th><th scope="col" class="number">wrong</th>'
        '<th scope="col" class="number">error</th><th scope="col">'
        '<span class="soft">shorter is better</span></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def terms(closed: FeatureMap) -> dict[str, str]:
    """Short names for a map and for the long ones among its parts, by their notation.

    Examples
    --------
    >>> import phimaps as pm
    >>> terms(pm.Tanh() @ pm.Abs())
    {'Tanh() @ Abs()': 'φ'}
    """
    names = {repr(closed): "φ"}
    for part in getattr(closed, "maps", ()):
        if len(repr(part)) > LONG:
            names.setdefault(repr(part), f"h{len(names)}")
    return names


def notation(names: dict[str, str]) -> str:
    """What the short names stand for; folded away when it is long."""
    lines = []
    for text, name in names.items():
        for other, short in names.items():
            text = text.replace(other, short) if short != name else text
        lines.append(f"{name} = <code>{escape(text)}</code>")
    body = "<br>".join(lines)
    if len(body) <= 3 * LONG:
        return f'<p class="term soft">{body}</p>'
    return (
        '<details class="claim"><summary class="soft">φ in the notation of the library</summary>'
        f'<p class="term soft">{body}</p></details>'
    )


def claim(verdict: Verdict, names: dict[str, str], closed: FeatureMap) -> str:
    """One verdict as a line that unfolds into its proof tree, and its witness recomputed."""
    tree = verdict.to_html()
    for text, name in names.items():
        # With the brackets that a model class puts around a map, and without.
        tree = tree.replace(escape(f"({text})"), name).replace(escape(text), name)
    details = ", ".join(t for t in (verdict.strength, _constant(verdict)) if t)
    details = f' <span class="soft">— {escape(details)}</span>' if details else ""
    return (
        f'<details class="claim"><summary><span class="badge {verdict.word}">{verdict.word}</span>'
        f"{WORDS[verdict.goal.name]}{details}</summary>"
        f'<div class="tree">{tree}{_witness(verdict, closed)}</div></details>'
    )


def _witness(verdict: Verdict, closed: FeatureMap) -> str:
    pair = verdict.witness
    if pair is None:
        return ""
    change = np.abs(pair.x - pair.y)
    return (
        f"<p>The witness, recomputed: x and y differ in {int((change > 0).sum())} of {change.size} "
        f"coordinates, by up to {change.max():.4g}; φ(x) and φ(y) differ by "
        f"{power(pair.gap(closed))}.</p>"
    )


def power(value: float) -> str:
    """A small number as a reader writes it.

    Examples
    --------
    >>> power(3.88e-16), power(0.0)
    ('3.9 · 10⁻¹⁶', '0 exactly')
    """
    if value == 0:
        return "0 exactly"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits} · 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _constant(verdict: Verdict) -> str:
    if verdict.value is None:
        return ""
    low, high = verdict.value
    letter = "L" if verdict.goal.name == "Lipschitz" else "l"
    if f"{low:.4g}" == f"{high:.4g}":
        return f"{letter} = {low:.4g}" if low == high else f"{letter} = {low:.4g} (rounded)"
    if high == inf:
        return f"{letter} ≥ {low:.4g}"
    if low == 0:
        return f"{letter} ≤ {high:.4g}"
    return f"{low:.4g} ≤ {letter} ≤ {high:.4g}"


def layer_figure(layer: Layer, x: str, what: str, sharp: bool, least: str) -> str:
    """The filters, z and a of a layer, one column and one scale for each filter.

    Parameters
    ----------
    layer : Layer
    x, what : str
        The input as HTML, and in words.
    sharp : bool
        Whether each pixel is shown as a square.
    least : str
        The least width of the figure; on narrower screens it scrolls.

    Returns
    -------
    str
    """
    reach = float(np.abs(layer.filters).max())
    rows: list[list[str]] = [
        ["filter w"],
        ["pre-activation<br>z = w ∗ x + b"],
        ["activation<br>a = ReLU(z)"],
        ["greatest |z|"],
    ]
    for i, (w, z, a) in enumerate(zip(layer.filters, layer.z, layer.a, strict=True), start=1):
        span = float(np.abs(z).max())
        rows[0].append(image(_filter_pixels(w, reach), f"filter {i}"))
        rows[1].append(image(SIGNED(z, -span, span), f"z of filter {i} for {what}", sharp))
        rows[2].append(image(ACTIVATION(a, 0, span), f"a of filter {i} for {what}", sharp))
        rows[3].append(f'<div class="head">{span:.2f}</div>')
    size = f"--columns:{len(layer.filters)};--least:{least}"
    cells = "".join(f"<div>{cell}</div>" for row in rows for cell in row)
    grid = f'<div class="grid" style="{size}">{cells}</div>'
    return f'<div class="row">{x}</div><div class="wide">{grid}</div>' + (
        legend(ramp(SIGNED, "−|z|", "|z|", "z"), ramp(ACTIVATION, "0", "|z|", "a"))
    )


def _filter_pixels(weight: np.ndarray, reach: float) -> np.ndarray:
    if len(weight) == 1:
        return SIGNED(weight[0], -reach, reach)
    # A filter of a colour picture is a small colour picture; grey stands for 0.
    centred = np.clip(0.5 + 0.5 * weight.transpose(1, 2, 0) / np.abs(weight).max(), 0, 1)
    return (255 * centred).round().astype(np.uint8)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−") or "0"
