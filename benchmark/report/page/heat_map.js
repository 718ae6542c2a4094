// The heat map: what each method gains on each case over the blurry input.

const heatView = { sort: null, descending: false };

// The differences to the floor, in the direction of better values: by method, one per case.
function gains(dataset, metric) {
  const sign = metricOf(metric).lowerIsBetter ? -1 : 1;
  const floor = scoresOf(dataset, metric, floorOf(dataset));
  return new Map(dataset.methods.map((method) => {
    const own = scoresOf(dataset, metric, method);
    return [method, dataset.cases.map((_, index) => sign * (mean(ofCase(own, index)) - mean(ofCase(floor, index))))];
  }));
}

// From orange (worse than the blurry input) to blue (better): told apart with any colour vision.
function heatColour(value, largest) {
  if (Number.isNaN(value)) return "";
  const strength = Math.min(1, Math.abs(value) / largest);
  return `--strength: ${(0.9 * strength ** 0.8).toFixed(3)}`;
}

const heatClass = (value, largest) => {
  if (Number.isNaN(value)) return "empty";
  return `${value < 0 ? "worse" : "better"}${Math.abs(value) > 0.85 * largest ? " strong" : ""}`;
};

function heatMetrics(dataset) {
  const floor = floorOf(dataset);
  return Object.keys(dataset.scores).filter((metric) => scoresOf(dataset, metric, floor).some((value) => value !== null));
}

function drawHeatMap() {
  const dataset = currentDataset();
  const table = byId("heat-map");
  fill(table);
  fill(byId("heat-scale"));
  fill(byId("heat-note"));
  if (!dataset) return fill(byId("heat-note"), "This table shows no dataset that ran here.");
  const metrics = heatMetrics(dataset);
  const select = byId("heat-metric");
  const chosen = metrics.includes(select.value) ? select.value : metrics.find((name) => metricOf(name).showsGain) || metrics[0];
  options(select, metrics.map((name) => [name, metricOf(name).title]), chosen);
  if (!chosen) return drawPlainCases(dataset);
  const byMethod = gains(dataset, chosen);
  const methods = dataset.methods.filter((method) => roleOf(method) !== "floor");
  const all = methods.filter((method) => roleOf(method) === "method").flatMap((method) => byMethod.get(method)).filter(Number.isFinite).map(Math.abs).sort((a, b) => a - b);
  const largest = all[Math.floor(0.98 * (all.length - 1))] || 1; // a few extremes shall not pale the rest
  const unit = metricOf(chosen).unit;
  fill(byId("heat-scale"),
    make("span", {}, `${minus((-largest).toFixed(metricOf(chosen).digits))}`),
    make("span", { class: "gradient", "aria-hidden": "true" }),
    make("span", {}, `+${largest.toFixed(metricOf(chosen).digits)}${unit && ` ${unit}`} against the blurry input`));
  table.append(
    make("thead", {}, make("tr", {}, heatHeading("Case"), methods.map((method) => heatHeading(method)))),
    make("tbody", {}, heatRows(dataset, byMethod).map((index) => make("tr", { "data-index": index },
      caseHeading(dataset, index),
      methods.map((method) => {
        const value = byMethod.get(method)[index];
        return make("td", {
          "data-method": method, class: heatClass(value, largest), style: heatColour(value, largest), tabindex: -1,
        }, Number.isNaN(value) ? "–" : signed(value, chosen));
      })))));
  const first = table.querySelector("td");
  if (first) first.tabIndex = 0; // the arrows lead on from here
  const controls = `Blue is better than the blurry input${metricOf(chosen).lowerIsBetter ? " (a lower score)" : ""}, orange worse. `;
  const over = seeds.length > 1 ? "A cell is the mean over seeds. " : "";
  fill(byId("heat-note"), `${controls}${over}A click opens the case; the arrow keys move, Enter opens.`);
}

// Real photographs have nothing to compare with: their cases open all the same.
function drawPlainCases(dataset) {
  byId("heat-map").append(make("tbody", {}, heatRows(dataset, new Map()).map((index) =>
    make("tr", { "data-index": index }, caseHeading(dataset, index)))));
  fill(byId("heat-note"), "No score of this dataset compares with the blurry input. A click opens the case.");
}

function heatHeading(name) {
  const title = name === "Case" ? name : methodTitle(name);
  const order = heatView.sort === name ? (heatView.descending ? "descending" : "ascending") : "none";
  const sort = () => {
    heatView.descending = heatView.sort === name && !heatView.descending;
    heatView.sort = name;
    drawHeatMap();
  };
  return make("th", { scope: "col", "aria-sort": order, class: roleOf(name) },
    make("button", { type: "button", onclick: sort, title: `Sort by ${title}` }, title,
      make("span", { class: "sorted", "aria-hidden": "true" }, order === "none" ? "" : heatView.descending ? "▴" : "▾")));
}

function caseHeading(dataset, index) {
  const name = dataset.cases[index];
  return make("th", { scope: "row" },
    make("button", { type: "button", class: "case-name", onclick: () => openCase(dataset.name, name) },
      make("img", { src: pictureOf(dataset.name, name, "thumbnail.webp"), alt: "", loading: "lazy", width: 36, height: 36 }),
      make("span", {}, name, dataset.groups[index] !== name && make("small", {}, dataset.groups[index]))));
}

function heatRows(dataset, byMethod) {
  const wanted = byId("filter-cases").value.trim().toLowerCase();
  const rows = dataset.cases.map((_, index) => index)
    .filter((index) => `${dataset.cases[index]} ${dataset.groups[index]}`.toLowerCase().includes(wanted));
  const values = byMethod.get(heatView.sort);
  if (values) rows.sort((a, b) => {
    const [x, y] = [values[a], values[b]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return heatView.descending ? x - y : y - x;
  });
  else if (heatView.sort === "Case") {
    rows.sort((a, b) => dataset.cases[a].localeCompare(dataset.cases[b], "en", { numeric: true }));
    if (heatView.descending) rows.reverse();
  }
  return rows;
}

function openFromHeatMap(cell) {
  const dataset = currentDataset();
  openCase(dataset.name, dataset.cases[Number(cell.parentElement.dataset.index)], cell.dataset.method);
}

function startHeatMap() {
  const table = byId("heat-map");
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td");
    if (cell) openFromHeatMap(cell);
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return openFromHeatMap(cell);
    }
    const row = cell.parentElement;
    const next = {
      ArrowLeft: cell.previousElementSibling, ArrowRight: cell.nextElementSibling,
      ArrowUp: row.previousElementSibling?.cells[cell.cellIndex], ArrowDown: row.nextElementSibling?.cells[cell.cellIndex],
    }[event.key];
    if (next?.tagName !== "TD") return;
    event.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
