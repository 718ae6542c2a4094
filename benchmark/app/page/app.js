"use strict";
// The page shows what the server says has happened: a stream of events, which it replays to every page that
// opens. So the page keeps no state of its own, and may be reloaded at any time.

const $ = (id) => document.getElementById(id);
let photo = 0; // the number of the present photo
let title = ""; // its name
let size = [1, 1]; // its width and height in pixels
let picked = 0; // the number of the candidate that is shown, or was asked for
let busySince = null;
let activity = "";

const handlers = {
  empty: reset,
  photo(event) {
    reset();
    photo = event.photo;
    title = event.name;
    $("blur").value = event.blur;
    $("effort").value = event.effort;
    $("part").value = event.part || event.streak;
    $("more").hidden = Boolean(event.streak || event.kernel);
    busy(`Opening ${title}`);
  },
  opened(event) {
    size = [event.width, event.height];
    $("chooser-photo").src = `${photo}/photo.png`;
    $("more-options").hidden = $("again").hidden = false;
    showFrame();
    showNotes($("notes"), event.notes);
    busy(`${title}, ${event.width} × ${event.height} pixels`);
  },
  known(event) {
    pick(event.number);
    $(`card-${event.number}`).scrollIntoView({ block: "nearest" });
  },
  progress(event) {
    busy(capitalised(event.text), event.done, event.total);
  },
  candidate: showCandidate,
  best(event) {
    $(`card-${event.number}`).querySelector("h3").dataset.best = "yes";
    showHeadings();
  },
  result: showResult,
  nothing(event) {
    fail(capitalised(event.sentence));
  },
  error(event) {
    fail(event.message);
  },
  stopped() {
    idle("Stopped.");
    for (const button of document.querySelectorAll(".pick, #more button")) button.disabled = true;
  },
  idle() {
    idle("");
  },
};

function reset() {
  photo = picked = 0;
  $("cards").replaceChildren();
  $("size").value = "";
  for (const id of ["error", "notes", "work", "result", "candidates", "more-options", "again"]) {
    $(id).hidden = true;
  }
  $("more").querySelector("button").disabled = false;
}

function busy(text, done = null, total = 1) {
  if (activity !== text) busySince = Date.now();
  activity = text;
  $("work").hidden = false;
  $("cancel").hidden = $("progress").hidden = false;
  if (done === null) $("progress").removeAttribute("value");
  else $("progress").value = done / Math.max(1, total);
  tick();
}

function idle(text) {
  busySince = null;
  activity = "";
  $("status").textContent = text;
  $("work").hidden = !text;
  $("cancel").hidden = $("progress").hidden = true;
}

function tick() {
  if (busySince === null) return;
  const seconds = Math.floor((Date.now() - busySince) / 1000);
  const text = activity + (seconds > 1 ? ` · ${seconds} s` : "");
  if ($("status").textContent !== text) $("status").textContent = text;
}
setInterval(tick, 1000);

function fail(message) {
  idle("");
  $("error").textContent = message;
  $("error").hidden = false;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function showNotes(list, notes) {
  list.replaceChildren(
    ...notes.map((note) => {
      const item = document.createElement("li");
      item.textContent = capitalised(note);
      return item;
    }),
  );
  list.hidden = !notes.length;
}

function setVerdict(element, event) {
  element.textContent = capitalised(event.sentence);
  element.className = `verdict ${event.trusted ? "trusted" : "doubted"}`;
}

function showCandidate(event) {
  const id = `card-${event.number}`;
  let card = $(id);
  if (!card) {
    card = $("card").content.firstElementChild.cloneNode(true);
    card.id = id;
    const part = card.querySelector(".part");
    const restored = `${photo}/candidate-${event.number}.png`;
    const blurry = `${photo}/part-${event.number}.png`;
    part.src = restored;
    part.alt = `A part of the photo, restored: ${event.title}`;
    card.querySelector(".kernel img").src = `${photo}/kernel-${event.number}.png`;
    card.querySelector(".kernel img").alt = "The estimated kernel, enlarged";
    card.querySelector("h3").dataset.words = capitalised(event.title) + (event.seconds ? ` · ${event.seconds} s` : "");
    card.querySelector(".pick").addEventListener("click", () => pick(event.number));
    hold(card.querySelector(".hold"), () => (part.src = blurry), () => (part.src = restored));
    $("cards").append(card);
    $("candidates").hidden = false;
    showHeadings();
  }
  setVerdict(card.querySelector(".verdict"), event);
  card.querySelector(".numbers").textContent = capitalised(event.numbers);
}

function showHeadings() {
  for (const heading of document.querySelectorAll(".card h3")) {
    heading.textContent = heading.dataset.words + (heading.dataset.best ? " · suggested" : "");
  }
}

function hold(button, press, release) {
  const down = (event) => {
    if (event.type === "keydown" && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    press();
  };
  for (const name of ["pointerdown", "keydown"]) button.addEventListener(name, down);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
    button.addEventListener(name, release);
  }
}

const results = new Map(); // by number: what the server said of the photo restored with that candidate

function showResult(event) {
  results.set(`${photo}/${event.number}`, event);
  if (!picked || picked === event.number) display(event);
}

function display(event) {
  picked = event.number;
  $("before").src = `${photo}/photo.png`;
  $("after").src = `${photo}/view-${event.number}.png`;
  $("detail-before").src = `${photo}/before-${event.number}.png`;
  $("detail-after").src = `${photo}/after-${event.number}.png`;
  $("download").href = `${photo}/result-${event.number}.png`;
  $("download").download = `${title.replace(/\.[^.]*$/, "")}_deblurred.png`;
  setVerdict($("verdict"), event);
  showNotes($("result-notes"), event.notes);
  $("result").hidden = false;
  mark();
}

function mark() {
  for (const card of document.querySelectorAll(".card")) {
    const isPicked = card.id === `card-${picked}`;
    card.classList.toggle("picked", isPicked);
    card.querySelector(".pick").textContent = isPicked ? "Shown above" : "Use this one";
  }
}

function pick(number) {
  picked = number;
  const event = results.get(`${photo}/${number}`);
  if (event) display(event);
  else {
    mark();
    $(`card-${number}`).querySelector(".pick").textContent = "Will be restored next";
    post(`restore?number=${number}`);
  }
}

async function post(path, body) {
  $("error").hidden = true;
  try {
    const answer = await fetch(path, { method: "POST", body });
    if (!answer.ok) fail((await answer.json()).message);
  } catch {
    fail("blindbench app has ended; start it again, and open the address that it prints");
  }
}

function send(file) {
  if (!file) return;
  busy(`Reading ${file.name}`);
  $("part").value = "";
  post(`photo?${chosen({ name: file.name.slice(0, 200) })}`, file);
}

function chosen(more) {
  return new URLSearchParams({ blur: $("blur").value, effort: $("effort").value, ...more });
}

// The part that is drawn on the photo, and the same as numbers.

const part = () => $("part").value.replace(/\s/g, "");

function showFrame() {
  const numbers = part().split(",").map(Number);
  const frame = $("frame");
  frame.hidden = numbers.length !== 4 || numbers.some(Number.isNaN);
  if (frame.hidden) return;
  ["left", "top", "width", "height"].forEach((side, index) => {
    frame.style[side] = `${(100 * numbers[index]) / size[index % 2]}%`;
  });
}

let corner = null; // where the drawing began, in pixels of the photo

function pixelAt(event) {
  const box = $("chooser-photo").getBoundingClientRect();
  const places = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  return places.map((place, axis) => Math.round(Math.min(1, Math.max(0, place)) * size[axis]));
}

function draw(event) {
  if (!corner) return;
  const here = pixelAt(event);
  const from = here.map((place, axis) => Math.min(place, corner[axis]));
  const sides = here.map((place, axis) => Math.abs(place - corner[axis]));
  $("part").value = sides[0] && sides[1] ? [...from, ...sides].join(",") : "";
  showFrame();
}

$("chooser").addEventListener("pointerdown", (event) => {
  event.preventDefault();
  $("chooser").setPointerCapture(event.pointerId);
  corner = pixelAt(event);
  draw(event);
});
$("chooser").addEventListener("pointermove", draw);
for (const name of ["pointerup", "pointercancel"]) {
  $("chooser").addEventListener(name, (event) => {
    draw(event);
    corner = null;
  });
}
$("part").addEventListener("input", showFrame);
$("options").addEventListener("submit", (event) => {
  event.preventDefault();
  post(`again?${chosen({ part: part() })}`);
});
$("streak").addEventListener("click", () => {
  if (part()) post(`again?${chosen({ streak: part() })}`);
  else fail("Draw a rectangle around the streak of a lamp first");
});
$("kernel").addEventListener("change", (event) => {
  const file = event.target.files[0];
  event.target.value = "";
  if (file) post(`kernel?${chosen({ kernel: file.name.slice(0, 200) })}`, file);
});

$("file").addEventListener("change", (event) => {
  send(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
$("cancel").addEventListener("click", () => post("cancel"));
$("more").addEventListener("submit", (event) => {
  event.preventDefault();
  post(`size?number=${Number($("size").value)}`);
});
$("slider").addEventListener("input", (event) => {
  $("compare").style.setProperty("--share", `${event.target.value}%`);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") send(event.dataTransfer.files[0]);
  });
}
document.addEventListener("paste", (event) => send(event.clipboardData.files[0]));

const stream = new EventSource("events");
stream.onmessage = (message) => {
  const event = JSON.parse(message.data);
  handlers[event.kind](event);
};
stream.onerror = () => {
  if (busySince !== null) fail("The connection to blindbench app is lost; it is tried again.");
};
