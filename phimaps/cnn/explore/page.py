"""The page of the explorer: its frame, and the data that its script shows."""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from typing import Any

from ...page import document
from ...page.pictures import ACTIVATION, SIGNED

__all__ = ["page"]


def page(data: dict[str, Any]) -> str:
    """The HTML document that shows a study.

    Parameters
    ----------
    data : dict
        What `explorer` computed; it becomes JSON.

    Returns
    -------
    str
    """
    files = resources.files(__package__)
    style, script = ((files / n).read_text(encoding="utf-8") for n in ("style.css", "script.js"))
    scales = {"signed": list(SIGNED.colours), "activation": list(ACTIVATION.colours)}
    told = json.dumps(data | {"scales": scales}, allow_nan=False, separators=(",", ":"))
    # The one thing that would end the element early.
    told = told.replace("</", "<\\/")
    body = "\n".join(
        (
            _opening(data),
            "<noscript><p>This page is drawn by a script in it; allow scripts to see it.</p>"
            "</noscript>",
            _MAIN,
            _closing(data),
            f'<script type="application/json" id="data">{told}</script>',
        )
    )
    return document("phimaps explorer", body, style, script)


def _opening(data: dict[str, Any]) -> str:
    c, h, w = data["shape"]
    fewer = len(data["images"]) < data["total"]
    shown = f"{len(data['images'])} of them are drawn" if fewer else "all are drawn"
    layers = "".join(f"<li>{escape(note)}</li>" for note in data["notes"])
    return f"""<header>
<p class="kicker">phimaps explorer</p>
<h1>What each layer computes, and what it looks at</h1>
<p class="phi">φ = <code>{escape(data["phi"])}</code></p>
<p>{data["total"]} image{"s" * (data["total"] != 1)} of {c} × {h} × {w} numbers; {shown}. In each
layer z is what goes into the activation function and a what comes out of it; both are maps, with
one number, a <em>unit</em>, for each place and channel.</p>
{f'<ul class="soft">{layers}</ul>' if layers else ""}</header>"""


_MAIN = """<main id="explorer" hidden>
<form class="pick" onsubmit="return false">
<fieldset><legend>Layer</legend><div class="choices" id="layers"></div></fieldset>
<fieldset><legend>Image</legend><div class="choices" id="images"></div></fieldset>
<fieldset><legend>Channel</legend><div class="choices" id="channels"></div>
<span class="note" id="which"></span></fieldset>
</form>
<details class="keys"><summary>Keys</summary>
<kbd>l</kbd> layer, <kbd>c</kbd> channel, <kbd>i</kbd> image, <kbd>u</kbd> studied unit: the next
one; with <kbd>Shift</kbd> the one before. On a map the arrow keys move the unit.</details>

<section aria-labelledby="channel-name">
<h2 id="channel-name"></h2>
<div class="panels">
<figure class="first"><div class="sheet"><img id="x" class="pixels" alt="">
<canvas id="veil" class="over pixels" aria-hidden="true"></canvas>
<span class="edge" id="box"></span><span class="edge dashed" id="effective-box"></span></div>
<figcaption>The image x. What the unit does not see is dimmed; the box is the hull of what it
sees.</figcaption></figure>
<figure id="z-figure"><div class="sheet map" id="z-map" tabindex="0" role="group">
<canvas id="z-canvas" class="pixels"></canvas><span id="z-dots"></span>
<span class="edge cursor" id="z-cursor"></span></div>
<div class="scale"><span id="z-low"></span><span class="ramp" id="z-ramp"></span>
<span id="z-high"></span></div>
<figcaption><span class="value" id="z-value"></span><br><span id="z-name"></span>: <span
id="z-said"></span>.</figcaption></figure>
<figure id="a-figure"><div class="sheet map" id="a-map" tabindex="0" role="group">
<canvas id="a-canvas" class="pixels"></canvas><span id="a-dots"></span>
<span class="edge cursor" id="a-cursor"></span></div>
<div class="scale"><span id="a-low"></span><span class="ramp" id="a-ramp"></span>
<span id="a-high"></span></div>
<figcaption><span class="value" id="a-value"></span><br><span id="a-name"></span>: <span
id="a-said"></span>.</figcaption></figure>
</div>
</section>

<section aria-labelledby="unit-name">
<h2>Unit <span id="unit-name"></span></h2>
<p id="unit-text" aria-live="polite"></p>
<p id="peaks-line"><span class="note">Studied units, dots on the maps:</span>
<span id="peaks"></span></p>
<p class="soft" id="studied">This unit was not studied further: choose one of those with a dot for
its deconvnet, occlusion and effective field.</p>
<div class="seen">
<figure><canvas id="patch" class="pixels"></canvas><figcaption>What it sees.</figcaption></figure>
<figure id="deconvnet-figure"><img id="deconvnet" class="pixels" alt="deconvnet of the unit">
<figcaption>Deconvnet: its value sent back, rectified at each ReLU.</figcaption></figure>
<figure id="occlusion-figure"><img id="occlusion" class="pixels" alt="occlusion of the unit">
<figcaption>Occlusion: how it changes when a window there is covered; blue lowers
it.</figcaption></figure>
<figure id="effective-figure"><img id="effective" class="pixels" alt="effective field of the unit">
<figcaption>Effective field: the share of its squared gradient.</figcaption></figure>
<figure id="filter-figure"><div id="filter"></div><figcaption>The filter.</figcaption></figure>
</div>
</section>

<section>
<h2>What excites this channel most</h2>
<p class="soft" id="no-patches"></p>
<ol class="patches" id="patches"></ol>
<p class="note">Each patch is the whole field of the unit that it excites most, of all images;
beside it the deconvnet of that unit.</p>
</section>

<section id="channels-section">
<h2>All channels of the layer</h2>
<p id="layer-text"></p>
<div class="wide scrolls" tabindex="0" role="region" aria-label="all channels of the layer">
<table id="table"><thead><tr><th scope="col">channel</th>
<th scope="col" class="number">active</th><th scope="col"></th>
<th scope="col" class="number">lifetime sparsity</th><th scope="col" class="number">mean</th>
<th scope="col" class="number">greatest</th><th scope="col"></th></tr></thead>
<tbody></tbody></table>
</div>
<p class="note">Active: the share of places and images with a &gt; 0. Sparsity: 0 when all respond
alike, 1 when one responds alone. Dead here: 0 on all these images. Proved dead: 0 on every image of
<span id="on"></span>.</p>
</section>
</main>"""


def _closing(data: dict[str, Any]) -> str:
    return (
        "<footer>Everything on this page was computed by φ before it was written; it loads nothing "
        f"else. {escape(data['made'])}</footer>"
    )
