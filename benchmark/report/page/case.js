// One case: before and after, all methods at one zoom, kernels, traces, and the scores.

const caseView = { dataset: null, index: 0, before: "", after: "", seed: seeds[0], tiles: "methods", view: { scale: 1, x: 0, y: 0 }, detail: null };
const BLURRY = "blurry", SHARP = "sharp";
const MOST_ZOOM = 16;

// --- the address: #case=<dataset>/<case>/<method>, so that a case can be linked to and 'back' closes it ---

function openCase(dataset, name, method = "") {
  const hash = `#case=${[dataset, name, method].filter(Boolean).map(encodeURIComponent).join("/")}`;
  if (byId("provenance").open) byId("provenance").close();
  if (location.hash === hash) followAddress();
  else location.hash = hash;
}

function followAddress() {
  const match = /^#case=(.+)$/.exec(location.hash);
  const dialog = byId("case");
  if (!match) return dialog.open && dialog.close();
  const [name, case_, method] = match[1].split("/").map(decodeURIComponent);
  const dataset = datasets.get(name);
  const index = dataset ? dataset.cases.indexOf(case_) : -1;
  if (index < 0) return say("There is no such case in this run");
  const isOther = caseView.dataset !== dataset || caseView.index !== index;
  caseView.dataset = dataset;
  caseView.index = index;
  if (!dataset.methods.includes(caseView.after) || method) caseView.after = dataset.methods.includes(method) ? method : bestOf(dataset, index);
  if (![BLURRY, SHARP, ...dataset.methods].includes(caseView.before) || !dialog.open) caseView.before = BLURRY;
  if (isOther) Object.assign(caseView, { view: { scale: 1, x: 0, y: 0 }, detail: null });
  if (!dialog.open) dialog.showModal();
  drawCase();
  if (!caseView.detail) loadDetail(dataset.name, case_);
}

// The method to show first: that with the largest gain.
function bestOf(dataset, index) {
  const metric = Object.keys(dataset.scores).find((name) => metricOf(name).showsGain) || Object.keys(dataset.scores)[0];
  const value = (method) => mean(ofCase(scoresOf(dataset, metric, method), index));
  const methods = dataset.methods.filter((method) => roleOf(method) === "method");
  return [...methods].sort((a, b) => (value(b) || -Infinity) - (value(a) || -Infinity))[0] || dataset.methods[0];
}

// A page from disk may not read files but may load scripts: case.js calls this with the rest of a case.
window.blindbenchCase = (detail) => {
  const { dataset, index } = caseView;
  if (!dataset || detail.dataset !== dataset.name || detail.case !== dataset.cases[index]) return;
  caseView.detail = detail;
  drawCase();
};

function loadDetail(dataset, name) {
  const script = make("script", { src: pictureOf(dataset, name, "case.js") });
  script.onload = () => script.remove();
  script.onerror = () => {
    script.remove();
    say("The pictures are not beside this page: keep the folders report/ and restorations/ with it");
  };
  document.head.append(script);
}

// --- drawing ---

const sourceOf = (what, seed = caseView.seed) => {
  const { dataset, index } = caseView;
  const name = dataset.cases[index];
  return what === BLURRY || what === SHARP ? pictureOf(dataset.name, name, `${what}.png`) : restoredImage(dataset.name, what, seed, name);
};
const titleOf = (what) => ({ [BLURRY]: "Blurry", [SHARP]: "Sharp" })[what] || methodTitle(what);
const runAt = (seed) => caseView.index * seeds.length + seeds.indexOf(seed);
const hasImage = (what, seed = caseView.seed) =>
  what === BLURRY || what === SHARP || caseView.dataset.runs[what].status[runAt(seed)] === "ok";

function drawCase() {
  const { dataset, index, detail } = caseView;
  const name = dataset.cases[index];
  const step = (by) => openCase(dataset.name, dataset.cases[(index + by + dataset.cases.length) % dataset.cases.length], caseView.after);
  const focused = document.activeElement?.id;
  fill(byId("case"),
    dialogTop("case", name, `${dataset.title} (${dataset.name})${dataset.groups[index] !== name ? ` · ${dataset.groups[index]}` : ""} · ${index + 1} of ${dataset.cases.length}`,
      make("button", { type: "button", "aria-label": "Previous case", title: "Previous case (←)", id: "previous-case", onclick: () => step(-1) }, "‹"),
      make("button", { type: "button", "aria-label": "Next case", title: "Next case (→)", id: "next-case", onclick: () => step(1) }, "›")),
    make("div", { class: "dialog-body" },
      compareTools(), compareView(), zoomTools(), tileTools(), make("div", { class: "tiles", style: `--ratio: ${detail ? detail.size[1] / detail.size[0] : 1}` }, tiles()),
      make("h3", {}, "Kernels"), detail ? kernels() : waiting(),
      make("h3", {}, `Trace of ${methodTitle(caseView.after)}`), detail ? traces() : waiting(),
      make("h3", {}, seeds.length > 1 ? `Scores, seed ${caseView.seed}` : "Scores"), caseScores()));
  applyView();
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

const waiting = () => make("p", { class: "note" }, "Loading…");

function chooser(label, key, values, title) {
  const select = make("select", { id: `choose-${key}`, onchange: (event) => { caseView[key] = key === "seed" ? Number(event.target.value) : event.target.value; drawCase(); } });
  options(select, values.map((value) => [`${value}`, title(value)]), `${caseView[key]}`);
  return make("label", {}, `${label} `, select);
}

function compareTools() {
  const { dataset, detail } = caseView;
  const images = [BLURRY, ...(detail?.hasSharp ? [SHARP] : []), ...dataset.methods.filter((method) => roleOf(method) !== "floor")];
  return make("div", { class: "tools" },
    chooser("Left", "before", images, titleOf), chooser("Right", "after", images.filter((what) => what in dataset.runs), titleOf),
    seeds.length > 1 && chooser("Seed", "seed", seeds, String));
}

const picture = (what, seed) => make("img", { src: sourceOf(what, seed), alt: titleOf(what), draggable: "false" });

function noImage(what, seed = caseView.seed) {
  const status = caseView.dataset.runs[what].status[runAt(seed)] || "not run";
  const failure = content.failures.find((each) => each.dataset === caseView.dataset.name && each.method === what && each.seed === seed && each.case === caseView.dataset.cases[caseView.index]);
  return make("div", { class: "no-image" }, make("strong", {}, status.replaceAll("_", " ")), failure && make("span", {}, failure.reason));
}

const viewport = (...children) => make("div", { class: "viewport", onpointerdown: startMove, onwheel: zoomByWheel, ondblclick: (event) => zoomAt(event, 2) },
  make("div", { class: "moved" }, ...children));

function compareView() {
  const { before, after } = caseView;
  const [height, width] = caseView.detail?.size || [1, 1];
  const pane = (what) => make("div", { class: "pane" }, hasImage(what) ? viewport(picture(what)) : noImage(what));
  const right = pane(after);
  right.classList.add("right");
  const box = make("div", { class: "compare", style: `--share: 50%; aspect-ratio: ${width} / ${height}` },
    pane(before), right,
    make("span", { class: "badge start" }, titleOf(before)), make("span", { class: "badge end" }, titleOf(after)),
    make("span", { class: "divider", "aria-hidden": "true", onpointerdown: startDivide }));
  const slider = make("input", { type: "range", min: 0, max: 100, step: 1, value: 50, id: "slider", "aria-label": `${titleOf(before)} to the left, ${titleOf(after)} to the right`,
    oninput: (event) => box.style.setProperty("--share", `${event.target.value}%`) });
  return make("div", { class: "compare-box", style: `max-width: min(100%, calc(68vh * ${width / height}))` }, box, slider);
}

function startDivide(event) {
  const box = event.target.parentElement;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  event.target.onpointermove = (move) => {
    const { left, width } = box.getBoundingClientRect();
    byId("slider").value = 100 * Math.min(1, Math.max(0, (move.clientX - left) / width));
    byId("slider").dispatchEvent(new Event("input"));
  };
  event.target.onpointerup = () => { event.target.onpointermove = null; };
}

function zoomTools() {
  const button = (text, label, factor) => make("button", { type: "button", "aria-label": label, id: label.replace(" ", "-"), onclick: () => zoomBy(factor) }, text);
  return make("div", { class: "tools" },
    button("−", "Zoom out", 0.5), make("output", { id: "zoom" }), button("+", "Zoom in", 2), button("Fit", "Zoom fit", 0),
    make("span", { class: "note" }, "All images move together: double-click or Ctrl and wheel to zoom, drag to move."));
}

function tileTools() {
  if (seeds.length < 2) return make("h3", {}, "All methods");
  return make("div", { class: "tools" }, make("h3", {}, "Side by side"),
    [["methods", `all methods, seed ${caseView.seed}`], ["seeds", `all seeds of ${methodTitle(caseView.after)}`]].map(([value, title]) =>
      make("label", {}, make("input", { type: "radio", name: "tiles", id: `tiles-${value}`, value, checked: caseView.tiles === value,
        onchange: () => { caseView.tiles = value; drawCase(); } }), title)));
}

function tiles() {
  const { dataset, detail, after, seed } = caseView;
  const shownTiles = caseView.tiles === "seeds"
    ? seeds.map((each) => [after, each, `Seed ${each}`])
    : [BLURRY, ...(detail?.hasSharp ? [SHARP] : []), ...dataset.methods.filter((method) => roleOf(method) !== "floor")].map((what) => [what, seed, titleOf(what)]);
  const metric = Object.keys(dataset.scores).find((each) => metricOf(each).showsGain) || Object.keys(dataset.scores)[0];
  return shownTiles.map(([what, each, title]) => {
    const scored = what === BLURRY ? floorOf(dataset) : what;
    const value = scoresOf(dataset, metric, scored)[runAt(each)];
    const text = shown(value, metric);
    const choose = () => { if (what in dataset.runs) { caseView.after = what; caseView.seed = each; drawCase(); byId("case").scrollTop = 0; } };
    return make("figure", { class: what === after ? "chosen" : false },
      hasImage(what, each) ? viewport(picture(what, each)) : noImage(what, each),
      make("figcaption", {}, what in dataset.runs ? make("button", { type: "button", class: "link", onclick: choose, title: "Compare this one" }, title) : title,
        text && make("span", { class: "push" }, `${text}${metricOf(metric).unit && ` ${metricOf(metric).unit}`}`)));
  });
}

function kernels() {
  const { dataset, detail, seed, after } = caseView;
  const bySeeds = caseView.tiles === "seeds";
  const own = detail.runs.filter((run) => run.kernel && (bySeeds ? run.method === after : run.seed === seed))
    .filter((run) => roleOf(run.method) === "method")
    .map((run) => [bySeeds ? `Seed ${run.seed}` : methodTitle(run.method), run.kernel]);
  const all = [...(detail.trueKernel ? [["True", detail.trueKernel]] : []), ...own];
  if (!all.length) return make("p", { class: "note" }, "No method here estimates a kernel.");
  const side = Math.max(...all.map(([, kernel]) => Math.max(kernel.height, kernel.width)));
  const zoom = Math.max(1, Math.min(6, Math.floor(168 / side)));
  return [
    make("div", { class: "kernels" }, all.map(([title, kernel]) => make("figure", {},
      make("div", { class: "kernel-box", style: `width: ${side * zoom}px; height: ${side * zoom}px` },
        make("img", { src: kernel.picture, alt: `Kernel: ${title}`, width: kernel.width * zoom, height: kernel.height * zoom })),
      make("figcaption", {}, title, make("small", {}, `${kernel.height} × ${kernel.width}`))))),
    make("p", { class: "note" }, `One scale for all: a pixel of a kernel is ${zoom} px wide; white is the peak of ${detail.trueKernel ? "the true kernel" : "the highest one"}, black is zero.`),
  ];
}

function traces() {
  CHART.width = 400;
  const own = caseView.detail.runs.filter((run) => run.method === caseView.after && run.trace);
  const names = [...new Set(own.flatMap((run) => Object.keys(run.trace.curves)))];
  const charts = names.map((name) => curveChart(name, own.filter((run) => name in run.trace.curves)
    .map((run) => ({ title: `seed ${run.seed}`, x: run.trace.iterations, y: run.trace.curves[name] })))).filter(Boolean);
  return charts.length ? make("div", { class: "curves" }, charts) : make("p", { class: "note" }, "This method logs no trace.");
}

function caseScores() {
  const { dataset, index, seed } = caseView;
  const metrics = Object.keys(dataset.scores).filter((metric) => dataset.methods.some((method) => scoresOf(dataset, metric, method)[runAt(seed)] !== null && scoresOf(dataset, metric, method).length));
  return make("div", { class: "scroller" }, make("table", {},
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Method"), metrics.map((metric) => make("th", { scope: "col" }, metricOf(metric).heading)), make("th", { scope: "col" }, "Seconds"))),
    make("tbody", {}, dataset.methods.map((method) => make("tr", { class: roleOf(method) }, make("th", { scope: "row" }, methodTitle(method)),
      metrics.map((metric) => {
        const text = shown(scoresOf(dataset, metric, method)[runAt(seed)], metric);
        return make("td", {}, text ? make("button", { type: "button", class: "value", onclick: () => showProvenance(dataset, method, metric, null, dataset.cases[index]) }, text) : "–");
      }),
      make("td", {}, shownSeconds(number(dataset.runs[method].seconds[runAt(seed)]))))))));
}

// --- zoom: one view for all images; x and y are the shares of the image left and above of what is visible ---

function applyView() {
  const { scale, x, y } = caseView.view;
  for (const moved of byId("case").querySelectorAll(".moved"))
    moved.style.transform = `translate(${-100 * x * scale}%, ${-100 * y * scale}%) scale(${scale})`;
  byId("case").classList.toggle("zoomed", scale > 1);
  byId("case").classList.toggle("pixels", scale >= 4);
  if (byId("zoom")) byId("zoom").textContent = `${scale.toLocaleString("en", { maximumFractionDigits: 1 })}×`;
}

// Zoom about the point at the shares `px` and `py` of the viewport.
function zoomBy(factor, px = 0.5, py = 0.5) {
  const view = caseView.view;
  const scale = Math.min(MOST_ZOOM, Math.max(1, view.scale * factor));
  view.x += px / view.scale - px / scale;
  view.y += py / view.scale - py / scale;
  view.scale = scale;
  moveBy(0, 0);
}

function moveBy(x, y) {
  const view = caseView.view;
  const room = 1 - 1 / view.scale;
  view.x = Math.min(room, Math.max(0, view.x + x));
  view.y = Math.min(room, Math.max(0, view.y + y));
  applyView();
}

function zoomAt(event, factor) {
  const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
  zoomBy(factor, (event.clientX - left) / width, (event.clientY - top) / height);
}

function zoomByWheel(event) {
  if (!event.ctrlKey) return; // else the wheel scrolls
  event.preventDefault();
  zoomAt(event, 2 ** (-event.deltaY / 200));
}

function startMove(event) {
  const target = event.currentTarget;
  if (caseView.view.scale === 1 || event.button) return;
  event.preventDefault();
  target.setPointerCapture(event.pointerId);
  const { width, height } = target.getBoundingClientRect();
  let [x, y] = [event.clientX, event.clientY];
  target.onpointermove = (move) => {
    moveBy((x - move.clientX) / (width * caseView.view.scale), (y - move.clientY) / (height * caseView.view.scale));
    [x, y] = [move.clientX, move.clientY];
  };
  target.onpointerup = target.onpointercancel = () => { target.onpointermove = null; };
}

function startCase() {
  const dialog = byId("case");
  dialog.addEventListener("close", () => {
    if (location.hash.startsWith("#case=")) location.replace("#closed"); // names no place, so nothing scrolls
  });
  // Of the window: a button that had the focus may have been drawn anew, and then nothing in the dialog has it.
  window.addEventListener("keydown", (event) => {
    if (!dialog.open || byId("provenance").open) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const button = { ArrowLeft: "previous-case", ArrowRight: "next-case", "+": "Zoom-in", "-": "Zoom-out", 0: "Zoom-fit" }[event.key];
    if (button) byId(button).click();
  });
  window.addEventListener("hashchange", followAddress);
  for (const each of [dialog, byId("provenance")])
    each.addEventListener("click", (event) => event.target === each && each.close()); // beside the dialog
}
