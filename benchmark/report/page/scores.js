// The table of scores: sorted, filtered and copied.

const scoreView = { sort: null, descending: false, hidden: new Set() };

// The columns that are visible. Each gives the cells of a row: text, the value to sort by, and what stands below.
function scoreColumns(block) {
  const columns = [];
  const inTable = (key) => block.rows.some((row) => Object.values(row.cells).some((cell) => key in cell));
  for (const column of block.columns) {
    if (scoreView.hidden.has(column.title)) continue;
    const cells = block.rows.map((row) => row.cells[column.title]).filter(Boolean);
    if (!hasValues(block, column)) continue; // the last section says why
    const metric = metricOf(column.metric);
    const isPaper = block.kind === "paper" || block.kind === "best";
    const heading = content.metrics[column.metric] && !isPaper ? metric.heading : column.title;
    columns.push({
      heading, column, metric: column.metric, lowerIsBetter: metric.lowerIsBetter || false,
      value: (row) => number((row.cells[column.title] || {}).mean),
      text: (row) => shown((row.cells[column.title] || {}).mean, column.metric),
    });
    if (isPaper && cells.some((cell) => cell.published)) {
      columns.push({
        heading: "printed", lowerIsBetter: metric.lowerIsBetter || false, column,
        value: (row) => number(Number.parseFloat((row.cells[column.title] || {}).published)),
        text: (row) => publishedText(row.cells[column.title] || {}),
        about: (row) => (row.cells[column.title] || {}).published_note,
      });
      columns.push({
        heading: "ours − printed", column,
        value: (row) => number((row.cells[column.title] || {}).difference),
        text: (row) => signed((row.cells[column.title] || {}).difference, column.metric),
      });
    }
    if (metric.showsGain && inTable("gain")) {
      columns.push({
        heading: `Gain${metric.unit ? `, ${metric.unit}` : ""}`, column,
        value: (row) => number((row.cells[column.title] || {}).gain),
        text: (row) => signed((row.cells[column.title] || {}).gain, column.metric),
      });
    }
  }
  if (block.rows.some((row) => runsOf(row))) {
    columns.push({
      heading: "Failed", lowerIsBetter: true, value: (row) => (runsOf(row) ? failedOf(row) / runsOf(row) : NaN),
      text: (row) => (runsOf(row) ? `${Math.round((100 * failedOf(row)) / runsOf(row))}%` : ""),
    });
  }
  const dataset = datasets.get(block.dataset);
  if (dataset) {
    columns.push({
      heading: "Seconds", lowerIsBetter: true, value: (row) => secondsOf(dataset, row.method),
      text: (row) => shownSeconds(secondsOf(dataset, row.method)),
    });
  }
  return columns;
}

const hasValues = (block, column) =>
  block.rows.some((row) => "mean" in (row.cells[column.title] || {}) || row.cells[column.title]?.published);
const runsOf = (row) => Math.max(0, ...Object.values(row.cells).map((cell) => cell.runs || 0));
const failedOf = (row) => Math.max(0, ...Object.values(row.cells).map((cell) => cell.failed || 0));
const publishedText = (cell) =>
  cell.published ? cell.published + (cell.published_deviation ? ` ±${cell.published_deviation}` : "") : "";

const shownP = (p) => (p < 0.001 ? "< 0.001" : p.toFixed(3));

// What stands in small print below a mean: its interval over cases, the spread and the worst of the seeds.
function belowMean(cell, metric) {
  const parts = [];
  if ("low" in cell) parts.push(`${shown(cell.low, metric)} to ${shown(cell.high, metric)}`);
  if (cell.seed_deviation > 0) parts.push(`worst seed ${shown(cell.worst_seed, metric)}`);
  if (cell.versus_baseline) parts.push(`${cell.versus_baseline} than ${methodTitle(cell.baseline)}, p ${shownP(cell.baseline_p)}`);
  if ((cell.scored || 0) < (cell.runs || 0)) parts.push(`${cell.scored} of ${cell.runs} scored`);
  return parts;
}

function visibleRows(block, columns) {
  const wanted = byId("filter-methods").value.trim().toLowerCase();
  const rows = block.rows.filter((row) => `${row.title} ${row.method}`.toLowerCase().includes(wanted));
  const by = columns.find((column) => column.heading === scoreView.sort);
  if (scoreView.sort === "Method") rows.sort((a, b) => a.title.localeCompare(b.title));
  else if (by) {
    // Better values first; what has no value comes last either way.
    rows.sort((a, b) => {
      const [x, y] = [by.value(a), by.value(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return (by.lowerIsBetter ? x - y : y - x) * (scoreView.descending ? -1 : 1);
    });
    return rows;
  }
  return scoreView.descending ? rows.reverse() : rows;
}

function sortBy(heading) {
  scoreView.descending = scoreView.sort === heading && !scoreView.descending;
  scoreView.sort = heading;
  drawScores();
  const again = [...byId("score-table").querySelectorAll("th button")].find((b) => b.dataset.heading === heading);
  if (again) again.focus();
}

function headingCell(heading) {
  const isSorted = scoreView.sort === heading;
  const order = isSorted ? (scoreView.descending ? "descending" : "ascending") : "none";
  return make("th", { scope: "col", "aria-sort": order },
    make("button", { type: "button", "data-heading": heading, onclick: () => sortBy(heading) }, heading.replace(/ (?=[↑↓])/, "\u00a0"),
      make("span", { class: "sorted", "aria-hidden": "true" }, isSorted ? (scoreView.descending ? "▴" : "▾") : "")));
}

function methodCell(row) {
  const tag = { floor: "floor", ceiling: "ceiling", published: "printed only" }[row.role];
  const labels = Object.values(row.cells).map((cell) => (cell.weights || "").replace(/ \([^)]*\)/g, "")); // without sizes
  const weights = [...new Set(labels.filter(Boolean))].join(", ");
  const isOther = row.method && methodTitle(row.method) !== row.title && row.title !== row.method;
  return make("th", { scope: "row" }, row.title,
    tag && make("span", { class: "tag" }, tag),
    isOther && make("small", {}, methodTitle(row.method)),
    weights && make("small", {}, weights));
}

function valueCell(block, row, column) {
  const text = column.text(row);
  const cell = column.column && row.cells[column.column.title];
  if (!column.metric || !cell) return make("td", { title: column.about?.(row) }, text);
  if (!text) return make("td", { class: "empty", title: cell.note || cell.failures || "" }, "–");
  const dataset = datasets.get(block.dataset);
  const leadsOn = dataset && dataset.origins[row.method];
  const open = () => showProvenance(dataset, row.method, column.metric, cell);
  return make("td", { class: cell.rank || false },
    leadsOn ? make("button", { type: "button", class: "value", onclick: open, title: "Where this number comes from" }, text) : text,
    belowMean(cell, column.metric).map((part) => make("small", {}, part)));
}

function drawScores() {
  const block = currentBlock();
  if (!block) return;
  const columns = scoreColumns(block);
  const rows = visibleRows(block, columns);
  fill(byId("score-table"),
    make("thead", {}, make("tr", {}, headingCell("Method"), columns.map((column) => headingCell(column.heading)))),
    make("tbody", {}, rows.map((row) =>
      make("tr", { class: row.role }, methodCell(row), columns.map((column) => valueCell(block, row, column))))));
  const dataset = datasets.get(block.dataset);
  const empty = block.columns.filter((column) => !hasValues(block, column)).map((column) => metricOf(column.metric).title || column.title);
  const ranked = block.rows.some((row) => Object.values(row.cells).some((cell) => cell.rank));
  fill(byId("score-note"), [
    dataset && `Protocol ${firstOrigin(dataset).protocol}: ${firstOrigin(dataset).protocol_title}. `,
    block.rows.some((row) => Object.values(row.cells).some((cell) => "baseline_p" in cell)) &&
      `Against ${content.baseline ? `the baseline ${methodTitle(content.baseline)}` : "the best of the column"}: Wilcoxon's signed-rank test over cases, p after Holm's correction. `,
    ranked && "Bold: best method; underlined: second. ",
    rows.length && "A number opens where it comes from. ",
    empty.length && make("span", {}, `No values: ${empty.join(", ")} (`, make("a", { href: "#missing" }, "why"), "). "),
    !rows.length && "No method matches the filter.",
  ]);
}

const firstOrigin = (dataset) => Object.values(dataset.origins)[0] || { protocol: "", protocol_title: "" };

function drawColumnChips() {
  const block = currentBlock();
  const titles = block ? block.columns.filter((column) => hasValues(block, column)).map((column) => column.title) : [];
  const named = (column) => (content.metrics[column] ? content.metrics[column].title : column);
  fill(byId("metrics"), make("legend", {}, "Columns"), [...new Set(titles)].map((title) =>
    make("label", {},
      make("input", {
        type: "checkbox", checked: !scoreView.hidden.has(title),
        onchange: (event) => {
          scoreView.hidden[event.target.checked ? "delete" : "add"](title);
          drawScores();
        },
      }), named(title))));
}

// --- copies: what is visible, in the order in which it is ---

const escapeLatex = (text) =>
  text.replace(/[\\{}$&#%_~^−±↑↓–]/g, (sign) => ({
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "−": "$-$", "±": "$\\pm$",
    "↑": "$\\uparrow$", "↓": "$\\downarrow$", "–": "--",
  }[sign] || `\\${sign}`));
const escapeMarkdown = (text) => text.replace(/[\\|<>*_`[\]]/g, "\\$&");
const escapeCsv = (value) => {
  let text = `${value}`;
  if (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`; // else spreadsheets run it
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

function copied(kind) {
  const block = currentBlock();
  const columns = scoreColumns(block);
  const rows = visibleRows(block, columns);
  if (kind === "csv") return asCsv(block, columns, rows);
  const headings = ["Method", ...columns.map((column) => column.heading)];
  const texts = rows.map((row) => [row.title, ...columns.map((column) => column.text(row))]);
  const rankOf = (row, column) => column.metric && (row.cells[column.column.title] || {}).rank;
  if (kind === "markdown") {
    const marked = texts.map((cells, index) => cells.map(escapeMarkdown).map((text, place) =>
      place && rankOf(rows[index], columns[place - 1]) === "best" ? `**${text}**` : text));
    const lines = [headings.map(escapeMarkdown), headings.map((_, place) => (place ? "---:" : ":---")), ...marked];
    return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n") + "\n";
  }
  const marked = texts.map((cells, index) => cells.map(escapeLatex).map((text, place) => {
    const rank = place && rankOf(rows[index], columns[place - 1]);
    return rank === "best" ? `\\textbf{${text}}` : rank === "second" ? `\\underline{${text}}` : text;
  }));
  const line = (cells) => `${cells.join(" & ")} \\\\`;
  return [`\\begin{tabular}{l${"r".repeat(columns.length)}}`, "\\toprule", line(headings.map(escapeLatex)), "\\midrule",
    ...marked.map(line), "\\bottomrule", "\\end{tabular}", ""].join("\n");
}

function asCsv(block, columns, rows) {
  const asked = ["mean", "low", "high", "worst_seed", "seed_deviation", "gain", "cases", "runs", "scored", "failed", "published", "difference"];
  const lines = [["dataset", "method", "title", "role", "metric", ...asked, "seconds"]];
  const dataset = datasets.get(block.dataset);
  for (const row of rows)
    for (const { column, metric } of columns.filter((each) => each.metric)) {
      const cell = row.cells[column.title] || {};
      const seconds = dataset ? secondsOf(dataset, row.method) : NaN;
      lines.push([block.dataset, row.method, row.title, row.role, metric, ...asked.map((key) => cell[key] ?? ""), Number.isNaN(seconds) ? "" : seconds.toFixed(2)]);
    }
  return lines.map((cells) => cells.map(escapeCsv).join(",")).join("\n") + "\n";
}
