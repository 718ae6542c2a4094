// What all parts of the page share: its content, elements, numbers, and the clipboard.

const content = JSON.parse(document.getElementById("content").textContent);
const datasets = new Map(content.datasets.map((dataset) => [dataset.name, dataset]));
const seeds = content.seeds;
const state = { block: 0 }; // what is chosen; the address after '#' says which case is open

const byId = (id) => document.getElementById(id);

// Make an element. Texts become text nodes, so that no name is read as markup.
function make(tag, attributes = {}, ...children) {
  const isDrawing = ["svg", "g", "path", "line", "circle", "rect", "text", "title"].includes(tag);
  const element = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== "" && child !== false));
  return element;
}

const fill = (element, ...children) => element.replaceChildren(...children.flat(2).filter(Boolean));

// --- names ---

const metricOf = (name) => content.metrics[name] || { title: name, heading: name, unit: "", digits: 2 };
const methodTitle = (name) => (content.methods[name] || { title: name }).title;
const roleOf = (name) => (content.methods[name] || { role: "method" }).role;
const currentBlock = () => content.blocks[state.block];
const currentDataset = () => datasets.get((currentBlock() || {}).dataset) || null;

// --- addresses of pictures, relative to the page ---

const address = (...parts) => parts.map(encodeURIComponent).join("/");
const pictureOf = (dataset, case_, file) => address("report", "cases", dataset, case_, file);
const restoredImage = (dataset, method, seed, case_) =>
  address("restorations", dataset, method, `seed${seed}`, case_, "image.png");

// --- numbers ---

const number = (value) => (value === null || value === undefined ? NaN : Number(value)); // "Infinity" is a text
const minus = (text) => text.replace("-", "−");

function shown(value, metric) {
  const parsed = number(value);
  if (Number.isNaN(parsed)) return "";
  return Number.isFinite(parsed) ? minus(parsed.toFixed(metricOf(metric).digits)) : minus(`${parsed}`.replace("Infinity", "∞"));
}

function signed(value, metric) {
  const text = shown(value, metric);
  return text && number(value) >= 0 ? `+${text}` : text;
}

function shownSeconds(value) {
  if (Number.isNaN(value)) return "";
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}

const mean = (values) => {
  const known = values.map(number).filter((value) => !Number.isNaN(value));
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : NaN;
};

// The scores of a method, one per case and seed; the seeds of a case lie beside each other.
const scoresOf = (dataset, metric, method) => (dataset.scores[metric] || {})[method] || [];
const ofCase = (values, index) => values.slice(index * seeds.length, (index + 1) * seeds.length);
const secondsOf = (dataset, method) => {
  const runs = dataset.runs[method];
  return runs ? mean(runs.seconds.filter((_, place) => runs.status[place] === "ok")) : NaN;
};

const floorOf = (dataset) => dataset.methods.find((method) => roleOf(method) === "floor");

// --- the person ---

function say(text) {
  byId("said").textContent = text;
  byId("said").classList.add("visible");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => byId("said").classList.remove("visible"), 2500);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", { class: "offscreen" }); // where a page from disk may not use the clipboard
    area.value = text;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

function options(select, entries, chosen) {
  fill(select, entries.map(([value, title]) => make("option", { value, selected: value === chosen }, title)));
}
