(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const state = { layer: 0, image: 0, channel: 0, unit: [0, 0] };

  // --- small things ------------------------------------------------------------------------
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((c) => c !== null));
    return node;
  };
  const number = (v) => {
    if (v === null) return "–";
    if (v === 0) return "0";
    const size = Math.abs(v);
    const text = size >= 1e5 || size < 1e-4 ? v.toExponential(2) : Number(v.toPrecision(3)).toString();
    return text.replace("-", "−");
  };
  const percent = (v) => `${Number((100 * v).toPrecision(3))} %`;
  const clamp = (v, n) => Math.max(0, Math.min(n - 1, v));

  const layer = () => data.layers[state.layer];
  const channel = () => layer().channels[state.channel];
  const fields = () => layer().field;
  const studied = () => channel().units[state.image];

  // Numbers travel as 16-bit integers, each map with the number that 1 stands for.
  const decoded = new Map();
  const numbers = (packed) => {
    if (!decoded.has(packed)) {
      const bytes = atob(packed.data);
      const values = new Float64Array(bytes.length / 2);
      for (let i = 0; i < values.length; i++) {
        const whole = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
        values[i] = ((whole << 16) >> 16) * packed.step;
      }
      decoded.set(packed, values);
    }
    return decoded.get(packed);
  };
  const values = (kind, c = channel()) => {
    const given = c[kind] && c[kind][state.image];
    if (given) return numbers(given);
    return kind === "a" && layer().relu ? numbers(c.z[state.image]).map((v) => Math.max(v, 0)) : null;
  };

  // --- colours -----------------------------------------------------------------------------
  const tables = {};
  for (const [name, colours] of Object.entries(data.scales)) {
    const parts = colours.map((c) => [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)));
    tables[name] = Array.from({ length: 256 }, (_, i) => {
      const place = (i / 255) * (parts.length - 1);
      const k = Math.min(Math.floor(place), parts.length - 2);
      return parts[k].map((v, j) => Math.round(v + (place - k) * (parts[k + 1][j] - v)));
    });
  }
  const signed = (kind) => kind === "z" || !layer().relu;
  const paint = (canvas, kind, c = channel()) => {
    const [h, w] = layer().size;
    const shown = values(kind, c);
    canvas.width = w;
    canvas.height = h;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(w, h);
    const table = tables[signed(kind) ? "signed" : "activation"];
    const span = c.span || 1;
    shown.forEach((v, i) => {
      const t = signed(kind) ? (v / span + 1) / 2 : v / span;
      const colour = table[clamp(Math.round(255 * t), 256)];
      pixels.data.set([...colour, 255], 4 * i);
    });
    context.putImageData(pixels, 0, 0);
  };

  // --- what is picked ----------------------------------------------------------------------
  const pictures = data.images.map((image) => {
    const picture = new Image();
    picture.addEventListener("load", () => data.images[state.image] === image && showUnit());
    picture.src = image.src;
    return picture;
  });
  const radios = (group, items, chosen, choose) =>
    items.map(({ label, content, note }, i) =>
      make(
        "label",
        { class: "choice", title: note || null },
        make("input", {
          type: "radio",
          name: group,
          value: i,
          checked: i === chosen,
          "aria-label": label,
          onchange: () => choose(i),
        }),
        ...content,
      ),
    );
  const mark = (group, index) => {
    const inputs = document.getElementsByName(group);
    if (inputs[index]) inputs[index].checked = true;
  };
  const text = (value, kind = "span") => make("span", { class: kind }, value);

  const pick = (change) => {
    const before = { ...state };
    Object.assign(state, change);
    state.layer = clamp(state.layer, data.layers.length);
    state.image = clamp(state.image, data.images.length);
    const moved = before.layer !== state.layer;
    if (moved && change.channel === undefined) state.channel = layer().first;
    state.channel = clamp(state.channel, layer().channels.length);
    const elsewhere = moved || before.channel !== state.channel || before.image !== state.image;
    if (elsewhere && change.unit === undefined) {
      const peak = studied()[0];
      state.unit = peak ? peak.at : [0, 0];
    }
    const [h, w] = layer().size;
    state.unit = [clamp(state.unit[0], h), clamp(state.unit[1], w)];
    mark("layer", state.layer);
    mark("image", state.image);
    if (moved) listChannels();
    if (moved || before.image !== state.image) thumbnails();
    mark("channel", state.channel);
    if (moved) table();
    if (elsewhere) showChannel();
    showUnit();
    remember();
  };

  // --- the address says what is shown, so that a link leads there ----------------------------
  const address = () => {
    const parts = new URLSearchParams();
    parts.set("layer", layer().name);
    parts.set("channel", channel().index);
    parts.set("image", state.image);
    parts.set("unit", state.unit.join(","));
    return `#${parts}`.replaceAll("%2C", ",");
  };
  const remember = () => {
    // Some browsers refuse this for files; the page works without.
    try { history.replaceState(null, "", address()); } catch { /* nothing to mend */ }
  };
  const recall = () => {
    const parts = new URLSearchParams(location.hash.slice(1));
    const change = {};
    const found = data.layers.findIndex((l) => l.name === parts.get("layer"));
    change.layer = found < 0 ? state.layer : found;
    if (parts.has("image")) change.image = Number(parts.get("image")) || 0;
    if (parts.has("channel")) {
      const index = Number(parts.get("channel"));
      const place = data.layers[change.layer].channels.findIndex((c) => c.index === index);
      change.channel = Math.max(place, 0);
    }
    const unit = (parts.get("unit") || "").split(",").map(Number);
    if (unit.length === 2 && unit.every(Number.isInteger)) change.unit = unit;
    return change;
  };

  // --- lists ---------------------------------------------------------------------------------
  const listLayers = () => {
    const items = data.layers.map((l) => ({
      label: `${l.name}, ${l.label}`,
      content: [text(l.name, "name"), text(l.label, "note")],
      note: `${l.total} channels of ${l.size.join(" × ")}`,
    }));
    $("layers").replaceChildren(...radios("layer", items, state.layer, (i) => pick({ layer: i })));
  };
  const listImages = () => {
    const items = data.images.map((image) => ({
      label: image.name,
      content: [make("img", { src: image.src, alt: "", class: "pixels" }), text(image.name, "note")],
    }));
    $("images").replaceChildren(...radios("image", items, state.image, (i) => pick({ image: i })));
  };
  const listChannels = () => {
    const { channels, total } = layer();
    const items = channels.map((c) => ({
      label: `channel ${c.index}${c.dead ? ", no activity" : ""}`,
      content: [
        make("canvas", { class: "pixels", "aria-hidden": "true" }),
        text(`${c.index}${c.dead ? " off" : ""}`, "note"),
      ],
    }));
    const choose = (i) => pick({ channel: i });
    $("channels").replaceChildren(...radios("channel", items, state.channel, choose));
    const fewer = channels.length < total;
    $("which").textContent = fewer
      ? `The ${channels.length} most active of ${total} are drawn; the table below has all.`
      : "";
  };
  const thumbnails = () => {
    const kind = values("a", layer().channels[0]) ? "a" : "z";
    const canvases = $("channels").querySelectorAll("canvas");
    layer().channels.forEach((c, i) => paint(canvases[i], kind, c));
  };

  // --- a channel -----------------------------------------------------------------------------
  const said = {
    pre: "before the activation function",
    post: "after the activation function",
    pooled: "what pooling leaves",
    other: "what the layer gives",
  };
  const showMaps = () => {
    const c = channel();
    const [h, w] = layer().size;
    for (const kind of ["z", "a"]) {
      const present = values(kind) !== null;
      $(`${kind}-figure`).hidden = !present;
      if (!present) continue;
      paint($(`${kind}-canvas`), kind);
      const name = layer().stages[kind];
      $(`${kind}-name`).textContent = name;
      $(`${kind}-said`).textContent = said[layer().kinds[kind]];
      $(`${kind}-map`).setAttribute(
        "aria-label",
        `${name}, channel ${c.index}, ${h} × ${w} units; arrow keys move the unit`,
      );
      const ends = signed(kind) ? [-c.span, c.span] : [0, c.span];
      $(`${kind}-low`).textContent = number(ends[0]);
      $(`${kind}-high`).textContent = number(ends[1]);
      const scale = data.scales[signed(kind) ? "signed" : "activation"];
      $(`${kind}-ramp`).style.background = `linear-gradient(to right, ${scale.join(", ")})`;
      const dots = studied().map(({ at: [i, j] }) => {
        const dot = make("span", { class: "dot" });
        dot.style.left = `${(100 * (j + 0.5)) / w}%`;
        dot.style.top = `${(100 * (i + 0.5)) / h}%`;
        return dot;
      });
      $(`${kind}-dots`).replaceChildren(...dots);
    }
  };
  const showChannel = () => {
    const c = channel();
    showMaps();
    $("filter").replaceChildren(
      ...(c.filter
        ? [make("img", { src: c.filter, alt: `filter of channel ${c.index}`, class: "pixels" })]
        : []),
    );
    $("filter-figure").hidden = !c.filter;
    $("x").src = data.images[state.image].src;
    $("x").alt = data.images[state.image].name;
    $("channel-name").textContent = `${layer().name}, channel ${c.index}`;
    const rows = c.patches.map((p, i) =>
      make(
        "li",
        {},
        make(
          "div",
          { class: "two" },
          make("img", { src: p.crop, alt: `patch ${i + 1}`, class: "pixels" }),
          p.deconvnet
            ? make("img", { src: p.deconvnet, alt: `deconvnet of patch ${i + 1}`, class: "pixels" })
            : null,
        ),
        make("span", { class: "note" }, `${number(p.value)} in image ${p.index}`,
          p.clipped ? ", cut at the edge" : ""),
      ),
    );
    $("patches").replaceChildren(...rows);
    $("no-patches").hidden = rows.length > 0;
    $("no-patches").textContent = layer().probed
      ? "Not looked for: what a unit of this layer sees shows only by probing every pixel."
      : "None was asked for.";
    const rowsOf = $("table").querySelectorAll("tbody tr");
    rowsOf.forEach((r) => r.classList.toggle("chosen", Number(r.dataset.channel) === c.index));
  };

  // --- a unit --------------------------------------------------------------------------------
  const field = () => {
    const [i, j] = state.unit;
    const { rows, cols } = fields();
    return { rows: rows[i], cols: cols[j] };
  };
  const hull = ({ rows, cols }) => {
    const ends = (runs) => (runs.length ? [runs[0][0], runs[runs.length - 1][1]] : [0, 0]);
    const [[top, bottom], [left, right]] = [ends(rows), ends(cols)];
    return { top, left, bottom, right };
  };
  const place = (node, box) => {
    const [h, w] = data.shape.slice(1);
    node.hidden = !box || box.bottom <= box.top;
    if (node.hidden) return;
    node.style.left = `${(100 * box.left) / w}%`;
    node.style.top = `${(100 * box.top) / h}%`;
    node.style.width = `${(100 * (box.right - box.left)) / w}%`;
    node.style.height = `${(100 * (box.bottom - box.top)) / h}%`;
  };
  const veil = ({ rows, cols }) => {
    // What the unit does not see is dimmed, holes of its field as well.
    const [h, w] = data.shape.slice(1);
    const canvas = $("veil");
    canvas.width = w;
    canvas.height = h;
    const context = canvas.getContext("2d");
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--paper");
    context.globalAlpha = 0.55;
    context.fillRect(0, 0, w, h);
    for (const [top, bottom] of rows) {
      for (const [left, right] of cols) context.clearRect(left, top, right - left, bottom - top);
    }
  };
  const crop = (box) => {
    const [h, w] = data.shape.slice(1);
    const picture = pictures[state.image];
    const canvas = $("patch");
    if (!picture.complete || !picture.naturalWidth || box.bottom <= box.top) return;
    const [down, across] = [picture.naturalHeight / h, picture.naturalWidth / w];
    const size = [box.right - box.left, box.bottom - box.top];
    canvas.width = Math.max(1, Math.round(size[0] * across));
    canvas.height = Math.max(1, Math.round(size[1] * down));
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(picture, box.left * across, box.top * down, size[0] * across, size[1] * down,
      0, 0, canvas.width, canvas.height);
  };
  const sure = {
    exact: ".",
    within: " at most; not all pixels there are seen.",
    probed: ", as far as a NaN sent through it shows.",
  };
  const describe = (box, holes, study) => {
    const [i, j] = state.unit;
    const [top, left] = [box.top, box.left];
    const lines = [
      `It sees rows ${top} to ${box.bottom - 1} and columns ${left} to ${box.right - 1}` +
        (holes ? ", with holes" : "") + sure[layer().field.sure],
    ];
    if (box.bottom <= box.top) lines[0] = "It sees nothing of the image.";
    if (study && study.effective) {
      lines.push(`Of its gradient, 95 % lie in ${study.effective.area} pixels (dashed box).`);
    }
    if (study && study.occlusion) {
      const { window, least, most } = study.occlusion;
      lines.push(
        `Covering ${window.join(" × ")} pixels changes it by ${number(least)} to ${number(most)}.`,
      );
    }
    $("unit-name").textContent = data.layers[state.layer].flat
      ? `${layer().name}, c${channel().index}`
      : `${layer().name}, c${channel().index}@(${i},${j})`;
    $("unit-text").textContent = lines.join(" ");
  };
  const showUnit = () => {
    const [i, j] = state.unit;
    const [h, w] = layer().size;
    const at = i * w + j;
    for (const kind of ["z", "a"]) {
      const shown = values(kind);
      const word = layer().stages[kind];
      $(`${kind}-value`).textContent = shown ? `${word} = ${number(shown[at])}` : "";
      const cursor = $(`${kind}-cursor`);
      cursor.style.left = `${(100 * j) / w}%`;
      cursor.style.top = `${(100 * i) / h}%`;
      cursor.style.width = `${100 / w}%`;
      cursor.style.height = `${100 / h}%`;
    }
    const seen = field();
    const box = hull(seen);
    const study = studied().find((s) => s.at[0] === i && s.at[1] === j);
    place($("box"), box);
    place($("effective-box"), study && study.effective ? study.effective.box : null);
    veil(seen);
    crop(box);
    describe(box, seen.rows.length > 1 || seen.cols.length > 1, study);
    for (const what of ["deconvnet", "occlusion", "effective"]) {
      const source = study && study[what] && study[what].src;
      $(`${what}-figure`).hidden = !source;
      if (source) $(what).src = source;
    }
    $("studied").hidden = Boolean(study);
    const links = studied().map((s, k) =>
      make(
        "button",
        { type: "button", "aria-pressed": s === study ? "true" : "false",
          onclick: () => pick({ unit: s.at }) },
        layer().flat ? "the unit" : `(${s.at.join(",")})`,
      ),
    );
    $("peaks").replaceChildren(...links);
    $("peaks-line").hidden = links.length === 0;
  };

  // --- all channels of a layer -----------------------------------------------------------------
  const table = () => {
    const l = layer();
    const s = l.statistics;
    $("channels-section").hidden = !s;
    if (!s) return;
    const drawn = new Map(l.channels.map((c, i) => [c.index, i]));
    const rows = s.frequency.map((frequency, c) => {
      const bar = make("div", { class: "bar" });
      bar.style.setProperty("--w", `${(100 * frequency).toFixed(1)}%`);
      const [word, kind] = s.proved[c]
        ? ["proved dead", "refuted"]
        : s.dead[c] ? ["dead here", "unknown"] : ["", ""];
      const name = drawn.has(c)
        ? make("button", { type: "button", onclick: () => pick({ channel: drawn.get(c) }) }, `${c}`)
        : `${c}`;
      return make(
        "tr",
        { "data-channel": c },
        make("td", {}, name),
        make("td", { class: "number" }, percent(frequency)),
        make("td", { class: "bars" }, bar),
        make("td", { class: "number" }, number(s.sparsity[c])),
        make("td", { class: "number" }, number(s.mean[c])),
        make("td", { class: "number" }, number(s.greatest[c])),
        make("td", {}, word ? make("span", { class: `badge ${kind}` }, word) : ""),
      );
    });
    $("table").querySelector("tbody").replaceChildren(...rows);
    const dead = s.dead.filter(Boolean).length;
    const proved = s.proved.filter(Boolean).length;
    const life = dead
      ? `${dead} never active on these images, ${proved} proved so for every image. `
      : "None is dead on these images. ";
    $("layer-text").textContent =
      `${l.name} (${l.label}): ${l.total} channels. ${life}` +
      `Population sparsity ${number(s.population)}.`;
    $("on").textContent = data.on || "a space, which was not given";
  };

  // --- pointer and keys ------------------------------------------------------------------------
  const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  for (const kind of ["z", "a"]) {
    const map = $(`${kind}-map`);
    map.addEventListener("click", (event) => {
      const frame = map.getBoundingClientRect();
      const [h, w] = layer().size;
      const i = Math.floor(((event.clientY - frame.top) / frame.height) * h);
      const j = Math.floor(((event.clientX - frame.left) / frame.width) * w);
      pick({ unit: [i, j] });
    });
    map.addEventListener("keydown", (event) => {
      const by = step[event.key];
      if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      pick({ unit: [state.unit[0] + by[0], state.unit[1] + by[1]] });
    });
  }
  const round = (value, n) => ((value % n) + n) % n;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const by = event.shiftKey ? -1 : 1;
    const key = event.key.toLowerCase();
    if (key === "l") pick({ layer: round(state.layer + by, data.layers.length) });
    else if (key === "c") pick({ channel: round(state.channel + by, layer().channels.length) });
    else if (key === "i") pick({ image: round(state.image + by, data.images.length) });
    else if (key === "u" && studied().length) {
      const now = studied().findIndex((s) => s.at.join() === state.unit.join());
      const next = now < 0 ? 0 : round(now + by, studied().length);
      pick({ unit: studied()[next].at });
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showUnit);
  window.addEventListener("hashchange", () => pick(recall()));

  const begin = recall();
  state.layer = begin.layer;
  state.channel = layer().first;
  state.unit = studied()[0] ? studied()[0].at : [0, 0];
  listLayers();
  listImages();
  listChannels();
  table();
  pick(begin);
  thumbnails();
  showChannel();
  $("explorer").hidden = false;
})();
