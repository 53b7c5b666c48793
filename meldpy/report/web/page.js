"use strict";
// Moves, searches and tells; everything else is in the page already.
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.querySelector("main");
const details = document.getElementById("details");
const tip = document.getElementById("tip");
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

// --- each picture has a view box that is moved and zoomed ---
const panes = all(".pane").map((section) => {
  const svg = section.querySelector("svg");
  const whole = svg.viewBox.baseVal;
  const home = { x: whole.x, y: whole.y, w: Math.max(whole.width, 320), h: Math.max(whole.height, 160) };
  const pane = { section, svg, home, now: { ...home }, picture: data[section.id] };
  pane.show = () => svg.setAttribute("viewBox", `${pane.now.x} ${pane.now.y} ${pane.now.w} ${pane.now.h}`);
  pane.zoom = (factor, cx = pane.now.x + pane.now.w / 2, cy = pane.now.y + pane.now.h / 2) => {
    const w = Math.min(home.w * 4, Math.max(80, pane.now.w * factor));
    const scale = w / pane.now.w;
    pane.now = { x: cx - (cx - pane.now.x) * scale, y: cy - (cy - pane.now.y) * scale, w, h: pane.now.h * scale };
    pane.show();
  };
  pane.fit = () => { pane.now = { ...home }; pane.show(); };
  pane.centre = (shape) => {
    const at = shape.transform.baseVal[0].matrix;
    const box = shape.querySelector("rect");
    pane.now.x = at.e + box.width.baseVal.value / 2 - pane.now.w / 2;
    pane.now.y = at.f + box.height.baseVal.value / 2 - pane.now.h / 2;
    pane.show();
  };
  pane.point = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [point.x, point.y];
  };
  svg.classList.toggle("dense", pane.picture.lines.length > 30);
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    pane.zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, ...pane.point(event));
  }, { passive: false });
  let held = null;
  svg.addEventListener("pointerdown", (event) => { held = pane.point(event); svg.setPointerCapture(event.pointerId); });
  svg.addEventListener("pointermove", (event) => {
    if (!held) return;
    const [x, y] = pane.point(event);
    pane.now.x -= x - held[0];
    pane.now.y -= y - held[1];
    pane.show();
  });
  svg.addEventListener("pointerup", () => { held = null; });
  pane.fit();
  return pane;
});
const seen = () => panes.filter((pane) => pane.section.offsetParent !== null);

// --- what is pointed at or focused is told ---
function tell(pane, target) {
  const shape = target.closest(".shape");
  const line = target.closest(".line");
  all(".near").forEach((each) => each.classList.remove("near"));
  if (shape) {
    const id = shape.dataset.id;
    all(`.line[data-from="${id}"], .line[data-to="${id}"]`, pane.svg).forEach((each) => each.classList.add("near"));
    const lines = pane.picture.lines.filter((each) => String(each.source) === id || String(each.target) === id);
    const calls = lines.map((each) => `${String(each.source) === id ? "calls" : "is called through"} ${each.label} (${each.class})`);
    return [shape.querySelector("title").textContent, ...calls].join("\n");
  }
  if (line) {
    line.classList.add("near");
    return line.querySelector("title").textContent;
  }
  return null;
}
for (const pane of panes) {
  pane.svg.addEventListener("pointerover", (event) => {
    const text = tell(pane, event.target);
    tip.hidden = text === null;
    if (text !== null) { tip.textContent = text.split("\n").slice(0, 8).join("\n"); details.textContent = text; }
  });
  pane.svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  pane.svg.addEventListener("focusin", (event) => {
    const text = tell(pane, event.target);
    if (text !== null) details.textContent = text;
  });
  pane.svg.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const shape = event.target.closest(".shape");
    if (!shape) return;
    event.preventDefault();
    pane.centre(shape);
    details.textContent = tell(pane, shape);
  });
}
all(".map .tile").forEach((tile) => {
  const told = tile.querySelector("title").textContent;
  const show = () => { details.textContent = told; };
  tile.addEventListener("pointerover", (event) => { event.stopPropagation(); show(); });
  tile.addEventListener("focusin", show);
});
document.addEventListener("pointermove", (event) => {
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - 340)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - 120)}px`;
});

// --- searching ---
const search = document.getElementById("search");
search.addEventListener("input", () => {
  const word = search.value.trim().toLowerCase();
  let hits = 0;
  for (const pane of panes) {
    all(".shape, .line", pane.svg).forEach((each) => {
      const hit = word !== "" && each.querySelector("title").textContent.toLowerCase().includes(word);
      hits += hit && each.matches(".shape") ? 1 : 0;
      each.classList.toggle("hit", hit);
      each.classList.toggle("dim", word !== "" && !hit);
    });
  }
  document.getElementById("found").textContent = word === "" ? "" : `${hits} found`;
});
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { search.value = ""; search.dispatchEvent(new Event("input")); }
  if (event.key !== "Enter") return;
  for (const pane of seen()) {
    const first = pane.svg.querySelector(".shape.hit");
    if (first) pane.centre(first);
  }
});

// --- buttons and keys ---
function view(name) {
  main.dataset.view = name;
  all("button[data-view]").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.view === name)));
}
all("button[data-view]").forEach((each) => each.addEventListener("click", () => view(each.dataset.view)));
document.getElementById("in").addEventListener("click", () => seen().forEach((pane) => pane.zoom(1 / 1.3)));
document.getElementById("out").addEventListener("click", () => seen().forEach((pane) => pane.zoom(1.3)));
document.getElementById("fit").addEventListener("click", () => seen().forEach((pane) => pane.fit()));
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
document.addEventListener("keydown", (event) => {
  if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step) seen().forEach((pane) => { pane.now.x += step[0] * pane.now.w * 0.1; pane.now.y += step[1] * pane.now.h * 0.1; pane.show(); });
  else if (event.key === "+" || event.key === "=") seen().forEach((pane) => pane.zoom(1 / 1.3));
  else if (event.key === "-") seen().forEach((pane) => pane.zoom(1.3));
  else if (event.key === "0") seen().forEach((pane) => pane.fit());
  else if (event.key === "/") search.focus();
  else return;
  event.preventDefault();
});
