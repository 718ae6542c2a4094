// Where a number comes from: its cases, what made them, and the command that repeats them.

const MOST_VALUES = 60; // that are listed before 'all' is asked for

function showProvenance(dataset, method, metric, cell, chosenCase = null) {
  const dialog = byId("provenance");
  const origin = dataset.origins[method];
  const values = scoresOf(dataset, metric, method);
  const runs = dataset.runs[method];
  const facts = (entries) => make("dl", {}, entries.filter(([, value]) => value && value.length !== 0)
    .map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  const different = (items, text = (item) => item) => items.map((item) => make("div", {}, text(item)));
  const record = (item) => Object.entries(item).filter(([, value]) => typeof value === "number" || (value && Object.keys(value).length !== 0))
    .map(([key, value]) => `${key.replaceAll("_", " ")}: ${Array.isArray(value) ? value.join(", ") : typeof value === "object" ? record(value) : value}`).join(" · ");
  const changed = Object.entries(origin.changed);
  const cards = origin.cards.map((card) => make("details", {}, make("summary", {}, `Card of ${card.name}`), make("pre", {}, card.text)));
  fill(dialog,
    dialogTop("provenance", `${metricOf(metric).title} of ${origin.title}`, `${dataset.title} (${dataset.name})`),
    make("div", { class: "dialog-body" },
      cell && make("p", { class: "headline" },
        make("strong", {}, `${shown(cell.mean, metric)}${metricOf(metric).unit && ` ${metricOf(metric).unit}`}`),
        make("span", {}, summarySentence(cell, metric))),
      cell && [cell.failures, cell.note].filter(Boolean).map((text) => make("p", { class: "reason" }, `${text}.`)),
      make("h3", {}, "What made it"),
      facts([
        ["Protocol", `${origin.protocol}: ${origin.protocol_title}`],
        ["Method", `${method}: ${origin.paper}`],
        ["Differs from the method's defaults", changed.length ? changed.map(([key, value]) => make("code", { class: "setting" }, `${key}: ${JSON.stringify(value)}`)) : "nothing"],
        ["All settings", Object.keys(origin.settings).length > 0 && make("details", {}, make("summary", {}, `${Object.keys(origin.settings).length} settings`),
          Object.entries(origin.settings).map(([key, value]) => make("code", { class: "setting" }, `${key}: ${JSON.stringify(value)}`)))],
        ["Pre-trained weights", [...different(origin.weights), ...cards]],
        ["Code", different(origin.code_versions, (version) => `version ${version}`).concat(different(origin.code, (hash) => make("code", {}, `hash of the method's code ${hash}`)))],
        ["Machine", different(origin.machines, record)],
        ["Device", different(origin.devices)],
        ["Versions", different(origin.versions, record)],
      ]),
      make("p", { class: "note" }, "Defaults are the paper's values where it prints them; docs/methods.md says which are ours."),
      make("h3", {}, "Repeat it"),
      make("div", { class: "command" }, make("code", {}, origin.command),
        make("button", { type: "button", onclick: () => copy(origin.command, "Command") }, "Copy")),
      make("h3", {}, `Values: ${dataset.cases.length} case${dataset.cases.length === 1 ? "" : "s"}${seeds.length > 1 ? ` × ${seeds.length} seeds` : ""}`),
      valueTable(dataset, method, metric, values, runs, chosenCase)));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function summarySentence(cell, metric) {
  const parts = [`mean over ${cell.cases < cell.asked_cases ? `${cell.cases} of ` : ""}${cell.asked_cases} cases`];
  if ("low" in cell) parts.push(`95% interval ${shown(cell.low, metric)} to ${shown(cell.high, metric)}`);
  if (cell.seed_deviation > 0) parts.push(`worst of ${cell.seeds} seeds ${shown(cell.worst_seed, metric)}`);
  if ("gain" in cell && metricOf(metric).showsGain) parts.push(`${signed(cell.gain, metric)} over the blurry input`);
  if ("baseline_p" in cell) parts.push(`p ${shownP(cell.baseline_p)} against ${methodTitle(cell.baseline)} over ${cell.baseline_cases} cases`);
  if (cell.failed) parts.push(`${cell.failed} of ${cell.runs} restorations failed`);
  if (cell.published) parts.push(`printed ${publishedText(cell)}`);
  return parts.join(" · ");
}

function valueTable(dataset, method, metric, values, runs, chosenCase) {
  const body = make("tbody");
  const rows = dataset.cases.flatMap((name, index) => seeds.map((seed, place) => ({ name, seed, at: index * seeds.length + place })))
    .sort((a, b) => (b.name === chosenCase) - (a.name === chosenCase));
  const draw = (count) => fill(body, rows.slice(0, count).map(({ name, seed, at }) => make("tr", { class: name === chosenCase ? "chosen" : false },
    make("th", { scope: "row" }, make("button", { type: "button", class: "link", onclick: () => openCase(dataset.name, name, method) }, name)),
    seeds.length > 1 && make("td", {}, seed),
    make("td", {}, shown(values[at], metric) || runs.status[at]?.replaceAll("_", " ") || "–"),
    make("td", {}, shownSeconds(number(runs.seconds[at]))),
    make("td", {}, make("code", {}, runs.image[at])),
    make("td", {}, make("code", {}, runs.hash[at])))));
  draw(MOST_VALUES);
  const more = rows.length > MOST_VALUES && make("button", { type: "button", onclick: (event) => { draw(rows.length); event.target.remove(); } }, `Show all ${rows.length}`);
  return make("div", { class: "scroller" }, make("table", { class: "values" },
    make("thead", {}, make("tr", {}, ["Case", ...(seeds.length > 1 ? ["Seed"] : []), metricOf(metric).heading, "Seconds", "Image, SHA-256", "Hash of all that decides it"].map((text) => make("th", { scope: "col" }, text)))),
    body), more);
}

// The top of a dialog: its title and a button that closes it, as Escape does.
function dialogTop(id, title, below, ...buttons) {
  return make("div", { class: "dialog-top" },
    make("div", {}, make("h2", { id: `${id}-title` }, title), make("p", { class: "note" }, below)),
    make("div", { class: "push" }, buttons,
      make("button", { type: "button", "aria-label": "Close", onclick: () => byId(id).close() }, "✕")));
}
