"""The report: one HTML file with everything in it."""

from __future__ import annotations

import platform
from html import escape
from importlib import resources
from importlib.metadata import version

import numpy as np
import sklearn
import torch

from ..maps.pointwise import CRelu, Relu
from ..page import document
from ..page.pictures import ACTIVATION, GREY, SIGNED
from . import Demo, Twins
from .fibre import Lookalike
from .pieces import (
    claim,
    errors_table,
    image,
    layer_figure,
    legend,
    notation,
    picture,
    power,
    ramp,
    terms,
)
from .tasks import Contest, Result

__all__ = ["page"]


def page(demo: Demo) -> str:
    """The report on a run.

    Parameters
    ----------
    demo : Demo

    Returns
    -------
    str
        An HTML document that needs no other file and no network.
    """
    sections = (
        _opening(),
        _digits(demo.digits),
        _wine(demo.wine),
        _verdicts(demo),
        _merged(demo.twins),
        _maps(demo),
        _words(),
        _footer(demo),
    )
    style = (resources.files(__package__) / "style.css").read_text(encoding="utf-8")
    return document("Feature maps, and what is proved about them", "\n".join(sections), style)


def _opening() -> str:
    return """<header>
<p class="kicker">phimaps demo</p>
<h1>Feature maps, and what is proved about them</h1>
<p class="lead">A <em>feature map</em> is a function φ from data to vectors: it turns a point x, an
image or a row of a table, into numbers φ(x) that a simple model can work with. A linear model
behind φ computes f(x) = w·φ(x) + b, so all that is not linear about it comes from φ.</p>
<p>This page compares feature maps on two real data sets, says of each what is proved, refuted or
unknown and why, shows images that a convolution layer cannot tell apart, and draws the maps that
such a layer computes. Every number was computed by the run that wrote this page.</p>
<nav><a href="#digits">Digits</a><a href="#wine">Wine</a><a href="#known">What is known</a>
<a href="#merged">Two images, one activation</a><a href="#maps">Activation maps</a>
<a href="#words">Words</a></nav>
</header>"""


def _protocol(contest: Contest) -> str:
    return (
        f"{contest.folds}-fold cross-validation: every point is predicted once, by a model that "
        "has not seen it, with a map that was fitted without it. The model is always the same, "
        f"<code>{escape(repr(contest.model))}</code>, a logistic regression with its default "
        "parameters, on standardized features."
    )


def _digits(contest: Contest) -> str:
    raw, _, z, a = contest.results
    return f"""<section id="digits">
<h2>One linear model, four feature maps</h2>
<p>{a.total} handwritten digits of 8 × 8 pixels; the task is to say which digit it is.</p>
{errors_table(contest)}
<p class="soft">{_protocol(contest)}</p>
<p>The last two maps share their filters, for which no label was used. A linear model on the
pre-activations z computes a linear function of the pixels, as it does on the pixels themselves: z
can express nothing that x cannot. The errors are {z.shown} on z and {raw.shown} on x. The
activation a = (ReLU(z), ReLU(−z)) is not linear in x, and the errors are {a.shown}. Pixels have
{_ratio(raw, a)} as many, z has {_ratio(z, a)} as many.</p>
</section>"""


def _ratio(many: Result, few: Result) -> str:
    return f"{many.wrong / max(few.wrong, 1):.1f} times"


def _wine(contest: Contest) -> str:
    all_columns, some, built, _ = contest.results
    return f"""<section id="wine">
<h2>Hand-built features of a table</h2>
<p>{built.total} wines from three cultivars, described by 13 measurements; the task is to say which
cultivar it is. Here φ is written down by someone who knows what the columns mean.</p>
{errors_table(contest)}
<p class="soft">The same protocol and model as above.</p>
<p>{escape(built.candidate.why)} The {built.dimension} hand-built columns leave {built.shown}
errors, the {some.dimension} columns that they read {some.shown}, all {all_columns.dimension}
columns {all_columns.shown}. Two warnings: one wine more or less is {100 / built.total:.2f} %, and
the columns were chosen by people who had seen this table, so the comparison flatters them.</p>
</section>"""


def _verdicts(demo: Demo) -> str:
    cards = [
        '<h3 class="kicker">On the digits: all images of 8 × 8 pixels with values in [0, 1]</h3>',
        *(_card(r) for r in demo.digits.results),
        '<h3 class="kicker">On the wines: all rows with every column in its observed range</h3>',
        *(_card(r) for r in demo.wine.results),
    ]
    return f"""<section id="known">
<h2>What is known of each map</h2>
<p>The statements are about <em>every</em> point of the space, not only the data; for a map that is
fitted, about the map fitted to all of the data. <em>Proved</em> and <em>refuted</em> come with a
strength, that of the weakest step: by definition, by theorem, by witness (two points), by exact
computation (floating point with certified error bounds), numerically, assumed. <em>Unknown</em>
means that no proof was found, nothing else. Unfold a line to see why.</p>
<p>A class of models is <em>universal</em> when it approximates every continuous function on the
space. If φ is continuous and injective, networks behind φ stay universal; if φ merges two points,
no model behind it can tell them apart.</p>
{"".join(cards)}
</section>"""


def _card(result: Result) -> str:
    names = terms(result.closed)
    claims = "".join(claim(verdict, names, result.closed) for verdict in result.verdicts)
    return (
        f'<article class="card"><h3>{escape(result.candidate.name)}</h3>'
        f"<p>{escape(result.candidate.why)} "
        f'<span class="soft">{result.dimension} features, {result.shown} errors.</span></p>'
        f"{notation(names)}{claims}</article>"
    )


def _merged(twins: tuple[Twins, ...]) -> str:
    found = [t.found for t in twins if t.found is not None]
    figures = [_pair(t, t.found) for t in twins if t.found and t.found.distance > EVIDENT]
    rows = "".join(_merged_row(t) for t in twins)
    return f"""<section id="merged">
<h2>Two images, one activation</h2>
<p>ReLU forgets how negative z is. The images with the same activations as x form a polyhedron: z
must stay the same where it is positive, and may be anything ≤ 0 elsewhere. A linear program walks
from a digit x as far as possible towards a digit t of another class without leaving that polyhedron
or the range of the pixels. It arrives at y.</p>
{"".join(figures)}
<div class="wide"><table><thead><tr><th scope="col">filters</th><th scope="col">z injective</th>
<th scope="col">ReLU(z) injective</th><th scope="col">(ReLU(z), ReLU(−z)) injective</th>
<th scope="col" class="number">change of the pixels</th>
<th scope="col" class="number">change of a</th></tr></thead><tbody>{rows}</tbody></table></div>
<p class="soft">The filters are the first principal components of the patches, with padding by
zeros. The change of the pixels is the greatest root mean square found in
{max((f.tried for f in found), default=0)} attempts; the last column is what remains between the
activations. These pairs are found <em>numerically</em>: the linear program is solved in floating
point, and rounding remains. The verdicts are those of <code>pm.decide</code>, which proves and does
not use the pairs. With both signs of each filter nothing is forgotten: z = ReLU(z) − ReLU(−z).</p>
</section>"""


# A root mean square change of the pixels that everyone sees.
EVIDENT = 0.1


def _pair(twins: Twins, found: Lookalike) -> str:
    z, x, y = twins.z, found.collision.x, found.collision.y
    both = np.stack([x, y])
    pre, post = z(both), (Relu() @ z)(both)
    far, span, top = float(np.abs(y - x).max()), float(np.abs(pre).max()), float(post.max())
    count = pre.shape[1]
    pixels = (
        picture(x[0], GREY, 0, 1, f"x, a digit {found.start_label}"),
        picture(y[0], GREY, 0, 1, "y, the same activations"),
        picture((y - x)[0], SIGNED, -far, far, "y − x"),
        picture(found.target[0], GREY, 0, 1, f"t, a digit {found.target_label}"),
    )
    maps = (
        picture(values[i], *scale, f"{name}{_which(i, count)}")
        for i in range(count)
        for values, name, scale in (
            (pre[0], "z(x)", (SIGNED, -span, span)),
            (pre[1], "z(y)", (SIGNED, -span, span)),
            (post[0], "a(x)", (ACTIVATION, 0.0, top)),
            (post[1], "a(y)", (ACTIVATION, 0.0, top)),
        )
    )
    plural = "s" if count > 1 else ""
    return (
        f'<figure><div class="four">{"".join(pixels)}{"".join(maps)}</div>'
        + legend(
            ramp(SIGNED, -far, far, "y − x"),
            ramp(SIGNED, -span, span, "z"),
            ramp(ACTIVATION, 0, top, "a"),
        )
        + f"<figcaption>A layer of {count} filter{plural}. The pixels of x and y differ by up to "
        f"{far:.2f} ({found.distance:.3f} root mean square), their pre-activations by up to "
        f"{found.collision.gap(z):.2f}, their activations by at most "
        f"<strong>{power(found.gap)}</strong>, which is rounding. With both signs of the "
        f"filter{plural} the features differ by {found.collision.gap(CRelu() @ z):.2f}."
        "</figcaption></figure>"
    )


def _which(index: int, count: int) -> str:
    return f", filter {index + 1}" if count > 1 else ""


def _merged_row(twins: Twins) -> str:
    cells = "".join(
        f'<td><span class="badge {v.word}">{v.word}</span></td>' for v in twins.verdicts
    )
    found = twins.found
    change = "none found" if found is None else f"{found.distance:.3f}"
    gap = "" if found is None else power(found.gap)
    count = len(twins.z.array("weight"))
    return (
        f"<tr><td>{count}</td>{cells}"
        f'<td class="number">{change}</td><td class="number">{gap}</td></tr>'
    )


def _maps(demo: Demo) -> str:
    digit, photo = demo.digit, demo.photo
    x = picture(digit.x[0], GREY, 0, 1, "input x")
    colours = (255 * photo.x.transpose(1, 2, 0)).round().astype(np.uint8)
    height, width = photo.x.shape[1:]
    first = (
        f'<div class="picture">{image(colours, "a Chinese temple at a lake", False)}input x</div>'
    )
    size = photo.filters.shape[-1]
    return f"""<section id="maps">
<h2>Activation maps</h2>
<p>A convolution layer slides each filter w over the input x. The number that it computes at a
place is the <em>pre-activation</em> z = w ∗ x + b; the <em>activation</em> is a = ReLU(z) =
max(z, 0). Over all places they form pictures, the pre-activation map and the activation map of that
filter. In the literature both, and the function x ↦ a too, go by the name “feature map”; here the
word means the function.</p>
<figure>{layer_figure(digit, x, "a digit", True, "42rem")}
<figcaption>A digit through {len(digit.filters)} filters of 3 × 3 pixels, the principal components
of the patches of all digits, greatest variance first. Where z is blue, a is darkest: the negative
part is lost.</figcaption>
</figure>
<figure>{layer_figure(photo, first, "the photograph", False, "46rem")}
<figcaption>A photograph of {width} × {height} pixels through {len(photo.filters)} colour filters of
{size} × {size} pixels, the principal components of its own patches. Photograph: china.jpg of
scikit-learn, by danielbuechele, CC BY 2.0.</figcaption></figure>
</section>"""


def _words() -> str:
    words = {
        "feature map": "A function φ: X → ℝᵈ. Behind it, a class F of functions on ℝᵈ becomes the "
        "class F_φ = {f∘φ : f ∈ F} of functions on X.",
        "pre-activation z, activation a": "What a layer computes before and after its activation "
        "function; for images, one map of each for every filter.",
        "continuous": "If x_n → x then φ(x_n) → φ(x).",
        "injective": "φ(x) = φ(y) only if x = y: nothing of x is lost.",
        "collision": "Two points x ≠ y with φ(x) = φ(y), a witness against injectivity.",
        "Lipschitz constant": "The least L with |φ(x) − φ(y)| ≤ L |x − y| for all x, y. The lower "
        "constant is the greatest l with |φ(x) − φ(y)| ≥ l |x − y|.",
        "universal": "F_φ is universal on X when every continuous function on X is approximated "
        "uniformly on compact sets by functions f∘φ.",
        "proved, refuted, unknown": "The three verdicts. Unknown is not a weaker form of refuted.",
    }
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in words.items())
    return f'<section id="words">\n<h2>The words in use</h2>\n<dl>{items}</dl>\n</section>'


def _footer(demo: Demo) -> str:
    return (
        f"<footer>Computed in {demo.seconds:.0f} seconds with phimaps {version('phimaps')}, "
        f"scikit-learn {sklearn.__version__}, torch {torch.__version__}, NumPy {np.__version__}, "
        f"Python {platform.python_version()}. To compute it again: "
        "<code>python -m phimaps demo</code>. "
        "Data: the digits and the wines that come with scikit-learn.</footer>"
    )
