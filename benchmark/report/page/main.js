// Start the page: the facts, the choice of a table, the failures, and what is missing.

const MOST_FAILURES = 24; // of one cause that are drawn before 'all' is asked for

function drawFacts() {
  const runs = content.datasets.reduce((sum, dataset) => sum + dataset.methods.length * dataset.cases.length * seeds.length, 0);
  const cases = content.datasets.reduce((sum, dataset) => sum + dataset.cases.length, 0);
  const count = (amount, word) => `${amount.toLocaleString("en")} ${word}${amount === 1 ? "" : "s"}`;
  fill(byId("facts"), [
    count(content.datasets.length, "dataset"), count(cases, "case"), count(Object.keys(content.methods).length, "method"),
    count(seeds.length, "seed"), count(runs, "restoration"), `${content.failures.length.toLocaleString("en")} failed`,
  ].join(" · "));
  fill(byId("versions"), `Made by blindbench ${content.versions.join(", ")}. Numbers are those of the folder tables/. `,
    content.otherTables.length && "Tables that lie beside this page: ",
    content.otherTables.map((name) => [make("a", { href: address("tables", `${name}.md`) }, name), " "]));
}

function drawBlockChoice() {
  const groups = new Map();
  content.blocks.forEach((block, index) => {
    const label = block.heading || "Datasets of this run";
    if (!groups.has(label)) groups.set(label, []);
    groups.get(label).push(make("option", { value: index }, block.title));
  });
  fill(byId("block"), [...groups].map(([label, entries]) => make("optgroup", { label }, entries)));
}

function drawBlock() {
  const block = currentBlock();
  const dataset = currentDataset();
  fill(byId("about"), [
    block?.heading && make("strong", {}, block.heading), block?.heading && " ",
    dataset && (dataset.caption || `${dataset.title}.`),
  ]);
  drawColumnChips();
  drawScores();
  drawHeatMap();
  drawSeconds();
}

// Failures with the same method and cause stand together, each with the blurry image that the method was given.
function drawFailures() {
  const groups = new Map();
  for (const failure of content.failures) {
    const key = JSON.stringify([failure.method, failure.status, failure.reason]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(failure);
  }
  const card = (failure) => make("button", { type: "button", class: "failure", onclick: () => openCase(failure.dataset, failure.case, failure.method) },
    make("img", { src: pictureOf(failure.dataset, failure.case, "thumbnail.webp"), alt: "", loading: "lazy" }),
    make("span", {}, failure.case), make("small", {}, `${failure.dataset}${seeds.length > 1 ? `, seed ${failure.seed}` : ""}`));
  fill(byId("failure-list"), groups.size
    ? [...groups.values()].map((failures) => {
      const [first] = failures;
      const cards = make("div", { class: "cards" }, failures.slice(0, MOST_FAILURES).map(card));
      return make("article", {},
        make("h3", {}, `${methodTitle(first.method)}: ${first.status.replaceAll("_", " ")}`, make("span", { class: "tag" }, failures.length)),
        make("p", { class: "reason" }, first.reason || first.sentence), first.reason && make("p", { class: "note" }, first.sentence), cards,
        failures.length > MOST_FAILURES && make("button", { type: "button", onclick: (event) => { fill(cards, failures.map(card)); event.target.remove(); } }, `Show all ${failures.length}`));
    })
    : make("p", { class: "note" }, "Every restoration ended with an image."));
}

function drawMissing() {
  fill(byId("missing-list"), content.missing.length
    ? content.missing.map(({ reason, what }) => make("article", {}, make("p", { class: "reason" }, reason),
      what.length > 3
        ? make("details", {}, make("summary", {}, `${what.length} numbers or datasets`), make("ul", {}, what.map((each) => make("li", {}, each))))
        : make("ul", {}, what.map((each) => make("li", {}, each)))))
    : make("p", { class: "note" }, "Nothing: every dataset and every number of these tables is here."));
}

function start() {
  drawFacts();
  drawBlockChoice();
  drawBlock();
  drawPaper();
  drawFailures();
  drawMissing();
  startHeatMap();
  startCase();
  byId("block").addEventListener("change", (event) => { state.block = Number(event.target.value); drawBlock(); });
  byId("filter-methods").addEventListener("input", drawScores);
  byId("filter-cases").addEventListener("input", drawHeatMap);
  byId("heat-metric").addEventListener("change", drawHeatMap);
  byId("seconds-metric").addEventListener("change", drawSeconds);
  byId("paper-metric").addEventListener("change", drawPaper);
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[href='#missing']")) document.querySelector("#missing details").open = true;
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // a phone's address bar comes and goes
    width = window.innerWidth;
    drawSeconds();
    drawPaper();
  });
  for (const button of document.querySelectorAll("[data-copy]"))
    button.addEventListener("click", () => copy(copied(button.dataset.copy), `Table as ${button.textContent}`));
  followAddress();
}

start();
