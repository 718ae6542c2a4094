// Charts as SVG: points with names, and curves.

const CHART = { width: 560, height: 340, left: 52, right: 16, top: 14, bottom: 42 };

// Draw as wide as there is room, so that texts have their size on a phone, too.
const fitTo = (target) => { CHART.width = Math.min(620, Math.max(300, target.clientWidth)); };

// A scale from values to pixels. Its ticks are round numbers; a logarithmic one has powers of ten, and 2 and 5 of them.
function scaleOf(values, from, to, isLogarithmic = false) {
  const forward = isLogarithmic ? Math.log10 : (value) => value;
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) [low, high] = isLogarithmic ? [low / 2, high * 2] : [low - 1, high + 1];
  const margin = 0.06 * (forward(high) - forward(low));
  const [start, end] = [forward(low) - margin, forward(high) + margin];
  const place = (value) => from + ((forward(value) - start) / (end - start)) * (to - from);
  let ticks = [];
  if (isLogarithmic) {
    for (let power = Math.floor(start); power <= end; power++) for (const step of [1, 2, 5]) ticks.push(step * 10 ** power);
    ticks = ticks.filter((tick) => Math.log10(tick) >= start && Math.log10(tick) <= end);
    if (ticks.length > 7) ticks = ticks.filter((tick) => Number.isInteger(Math.round(1e6 * Math.log10(tick)) / 1e6));
  } else {
    const rough = (end - start) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
    for (let tick = Math.ceil(start / step) * step; tick <= end; tick += step) ticks.push(Number(tick.toPrecision(10)));
  }
  return { place, ticks };
}

function tickText(tick) {
  const size = Math.abs(tick);
  return minus(size !== 0 && (size < 1e-3 || size >= 1e5) ? tick.toExponential(0) : `${Number(tick.toPrecision(6))}`);
}

function axes(x, y, xTitle, yTitle) {
  const { width, height, left, right, top, bottom } = CHART;
  return [
    ...y.ticks.map((tick) => make("g", { class: "tick" },
      make("line", { x1: left, x2: width - right, y1: y.place(tick), y2: y.place(tick) }),
      make("text", { x: left - 8, y: y.place(tick) + 4, "text-anchor": "end" }, tickText(tick)))),
    ...x.ticks.map((tick) => make("g", { class: "tick" },
      make("text", { x: x.place(tick), y: height - bottom + 18, "text-anchor": "middle" }, tickText(tick)))),
    make("text", { class: "axis", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xTitle),
    make("text", { class: "axis", x: left, y: top - 3 }, yTitle),
  ];
}

const chart = (label, ...children) =>
  make("svg", { viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "group", "aria-label": label }, ...children);

const shortened = (name, most = 30) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

// Names beside points, moved up or down until none lies on another one or on a point.
function placeNames(points) {
  const taken = points.map((point) => ({ left: point.x - 5, right: point.x + 5, top: point.y - 5, bottom: point.y + 5 }));
  const overlaps = (box) => taken.some((other) =>
    box.left < other.right && box.right > other.left && box.top < other.bottom && box.bottom > other.top);
  for (const point of [...points].sort((a, b) => a.y - b.y)) {
    const width = 6.3 * point.name.length;
    const isLeft = point.x + 9 + width > CHART.width;
    const start = isLeft ? Math.max(0, point.x - 9 - width) : point.x + 9;
    const boxAt = (shift) => ({ left: start, right: start + width, top: point.y - 7 + shift, bottom: point.y + 7 + shift });
    const shifts = [0, 13, -13, 26, -26, 39, -39, 52, -52];
    const shift = shifts.find((candidate) => {
      const box = boxAt(candidate);
      return box.top > 0 && box.bottom < CHART.height - CHART.bottom && !overlaps(box);
    }) ?? 0;
    taken.push(boxAt(shift));
    Object.assign(point, { textX: isLeft ? point.x - 9 : point.x + 9, textY: point.y + 4 + shift, anchor: isLeft ? "end" : "start" });
  }
}

function namedPoints(points) {
  placeNames(points);
  return points.map((point) => {
    const open = (event) => {
      if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      point.open();
    };
    return make("g", { class: `point ${point.kind}`, tabindex: 0, role: "button", "aria-label": point.label, onclick: open, onkeydown: open },
      make("title", {}, point.label),
      Math.abs(point.textY - 4 - point.y) > 14 &&
        make("line", { x1: point.x, y1: point.y, x2: point.textX, y2: point.textY - 4 }),
      make("circle", { cx: point.x, cy: point.y, r: 5 }),
      make("text", { x: point.textX, y: point.textY, "text-anchor": point.anchor }, point.name));
  });
}

function drawSeconds() {
  const dataset = currentDataset();
  const target = byId("seconds-chart");
  fitTo(target);
  if (!dataset) return fill(target, make("p", { class: "note" }, "This table shows no dataset that ran here."));
  const block = content.blocks.find((each) => each.kind === "own" && each.dataset === dataset.name) || currentBlock();
  const metrics = block.columns.filter((column) => block.rows.some((row) => "mean" in (row.cells[column.title] || {})));
  const select = byId("seconds-metric");
  const chosen = metrics.find((column) => column.title === select.value) || metrics[0];
  options(select, metrics.map((column) => [column.title, metricOf(column.metric).title]), chosen?.title);
  const rows = chosen ? block.rows.filter((row) => Number.isFinite(number(row.cells[chosen.title]?.mean))) : [];
  if (!rows.length) return fill(target, make("p", { class: "note" }, "No score to draw."));
  const { left, right, top, bottom, width, height } = CHART;
  const timed = (row) => Math.max(0.01, secondsOf(dataset, row.method));
  const methods = rows.filter((row) => roleOf(row.method) === "method" && !Number.isNaN(secondsOf(dataset, row.method)));
  const y = scaleOf(rows.map((row) => number(row.cells[chosen.title].mean)), height - bottom, top + 8);
  const x = scaleOf(methods.length ? methods.map(timed) : [1], left + 8, width - right - 8, true);
  const bounds = rows.filter((row) => roleOf(row.method) !== "method").map((row) => {
    const at = y.place(number(row.cells[chosen.title].mean));
    return make("g", { class: "bound" }, make("line", { x1: left, x2: width - right, y1: at, y2: at }),
      make("text", { x: width - right, y: at - 4, "text-anchor": "end" }, `${shortened(row.title, 44)} (${roleOf(row.method)})`));
  });
  const points = methods.map((row) => {
    const cell = row.cells[chosen.title];
    return {
      x: x.place(timed(row)), y: y.place(number(cell.mean)), kind: "", name: shortened(row.title),
      label: `${row.title}: ${shown(cell.mean, chosen.metric)} in ${shownSeconds(timed(row))} s`,
      open: () => showProvenance(dataset, row.method, chosen.metric, cell),
    };
  });
  fill(target, chart("Quality against seconds", axes(x, y, "seconds per case, mean over cases", metricOf(chosen.metric).heading), bounds, namedPoints(points)));
}

function drawPaper() {
  const target = byId("paper-chart");
  fitTo(target);
  const select = byId("paper-metric");
  const pairs = content.blocks.flatMap((block) => block.rows.flatMap((row) => block.columns.map((column) => {
    const cell = row.cells[column.title] || {};
    const printed = Number.parseFloat(cell.published);
    return { block, row, column, cell, printed, ours: number(cell.mean) };
  }))).filter((pair) => Number.isFinite(pair.printed) && Number.isFinite(pair.ours));
  const metrics = [...new Set(pairs.map((pair) => pair.column.metric))];
  select.closest("label").hidden = !metrics.length;
  if (!metrics.length) {
    return fill(target, make("p", { class: "note" },
      content.blocks.some((block) => block.heading)
        ? "No printed number has one of ours beside it here; the last section says why."
        : "This profile shows no table of a paper: name some under paper_tables in the config."));
  }
  const chosen = metrics.includes(select.value) ? select.value : metrics[0];
  options(select, metrics.map((name) => [name, metricOf(name).title]), chosen);
  const own = pairs.filter((pair) => pair.column.metric === chosen);
  const values = own.flatMap((pair) => [pair.printed, pair.ours]);
  const { left, right, top, bottom, width, height } = CHART;
  const x = scaleOf(values, left + 8, width - right - 8);
  const y = scaleOf(values, height - bottom, top + 8);
  const ends = [Math.min(...values), Math.max(...values)];
  const diagonal = make("line", { class: "diagonal", x1: x.place(ends[0]), y1: y.place(ends[0]), x2: x.place(ends[1]), y2: y.place(ends[1]) });
  const points = own.map((pair) => ({
    x: x.place(pair.printed), y: y.place(pair.ours), kind: "difference" in pair.cell ? "" : "hollow", name: shortened(pair.row.title),
    label: `${pair.block.heading}, ${pair.block.title}, ${pair.row.title}: printed ${pair.cell.published}, ours ${shown(pair.ours, chosen)}`,
    open: () => {
      const dataset = datasets.get(pair.block.dataset);
      if (dataset && dataset.origins[pair.row.method]) showProvenance(dataset, pair.row.method, chosen, pair.cell);
    },
  }));
  fill(target, chart("Ours against the paper", axes(x, y, `printed ${metricOf(chosen).heading}`, "ours"), diagonal, namedPoints(points)),
    own.some((pair) => !("difference" in pair.cell)) && make("p", { class: "note" },
      "Hollow: not the same cases as in the paper, so only roughly comparable. On the line ours equals the printed number."));
}

// The curves of one quantity: an entry of `lines` per seed, each with a title, places and values.
function curveChart(title, lines) {
  const points = lines.flatMap((line) => line.x.map((x, index) => [x, line.y[index]])).filter(([x, y]) => x !== null && y !== null);
  if (points.length < 2) return null;
  const values = points.map(([, value]) => value);
  const isLogarithmic = Math.min(...values) > 0 && Math.max(...values) > 30 * Math.min(...values);
  const { left, right, top, bottom, width, height } = CHART;
  const x = scaleOf(points.map(([place]) => place), left, width - right);
  const y = scaleOf(values, height - bottom, top + 8, isLogarithmic);
  return chart(title, axes(x, y, "iteration", title), lines.map((line, order) => {
    let path = "";
    line.x.forEach((place, index) => {
      if (line.y[index] === null || place === null) return;
      path += `${path ? "L" : "M"}${x.place(place).toFixed(1)} ${y.place(line.y[index]).toFixed(1)}`;
    });
    return make("path", { class: `curve curve-${order % 4}`, d: path }, make("title", {}, line.title));
  }));
}
