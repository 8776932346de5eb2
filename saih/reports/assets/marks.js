// Elements, markers and the words of a point. Texts from outside only ever become text nodes.
const SVG = "http://www.w3.org/2000/svg";
const NUM_COLOURS = 7;
// Each fills a square of about two units around the origin; all look equally large.
const MARKERS = [
  "M-.9 0a.9.9 0 1 0 1.8 0a.9.9 0 1 0-1.8 0z", "M-.8-.8H.8V.8H-.8z", "M0-1.1L1 .75H-1z", "M0-1.15L1.05 0L0 1.15L-1.05 0z",
  "M0 1.1L1-.75H-1z", "M-.35-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35z",
  "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0z",
  "M0-1.2L.3-.4L1.15-.37L.48.16L.71.97L0 .5L-.71.97L-.48.16L-1.15-.37L-.3-.4z",
];

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function nothing(words) {
  return html("p", { class: "loud" }, words);
}

// A label of at most three lines; all of it where the pointer rests.
function clamped(words) {
  return html("span", { class: "clamp", dir: "auto", title: words }, words);
}

function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function colourClass(index) {
  return `c${index % NUM_COLOURS}`;
}

function marker(index, x, y, size) {
  const place = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`;
  return svg("path", { d: MARKERS[index % MARKERS.length], transform: place, class: `mark ${colourClass(index)}` });
}

function pointName(point) {
  return `#${point.number} ${labelWords(point.labels)}`;
}

function labelWords(labels) {
  return Object.values(labels).join(", ") || "as given";
}

function pointRows(data, point) {
  const rows = data.quantities.map((one) => [one.title, point.words[one.name] || "not known"]);
  rows.push(["steps", `${point.steps}, ${point.level} intervals`], ["held back by", point.verdict]);
  if (data.settings.length > 1) rows.push(["setting", data.settings[point.setting]]);
  rows.push(["record", point.record]);
  return rows;
}

// One tip for the page: what the mark under the pointer, or in focus, says.
const tip = html("div", { class: "tip", id: "tip", role: "tooltip", hidden: "" });

let told = null;

function showTip(target, title, rows) {
  const lines = rows.map(([name, words]) => html("div", {}, html("dt", {}, name), html("dd", { dir: "auto" }, words)));
  tip.replaceChildren(html("b", { dir: "auto" }, title), html("dl", {}, ...lines));
  tip.hidden = false;
  told = target;
  placeTip();
}

// Beside what it tells of, also while the page scrolls.
function placeTip() {
  if (tip.hidden) return;
  const near = told.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.min(near.right + 10, innerWidth - size.width - 8);
  const covers = left < near.right + 8;
  const above = near.top - size.height - 8;
  const beside = Math.max(8, Math.min(near.top - 8, innerHeight - size.height - 8));
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${covers ? (above > 8 ? above : near.bottom + 8) : beside}px`;
}

function hideTip() {
  tip.hidden = true;
}

// Makes an element tell its words on hover and on focus; choosing it does `choose`.
function telling(element, title, rows, choose) {
  const words = rows.map(([name, value]) => `${name}: ${value}`).join("; ");
  filled(element, { "aria-label": `${title}. ${words}`, tabindex: "-1" }, []);
  if (!element.hasAttribute("role")) element.setAttribute("role", choose ? "button" : "img");
  element.classList.add("stop");
  const show = () => showTip(element, title, rows);
  element.addEventListener("pointerenter", show);
  element.addEventListener("pointerleave", hideTip);
  element.addEventListener("focus", show);
  element.addEventListener("blur", hideTip);
  if (choose) element.addEventListener("click", choose);
  element.addEventListener("keydown", (event) => {
    if (choose && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      choose();
    } else if (event.key === "Escape") hideTip();
  });
  return element;
}

// One stop of the Tab key for a whole figure; arrows go on from there: left and right in order, up and down in space.
function roving(container) {
  const stops = () => [...container.querySelectorAll(".stop")];
  const first = stops()[0];
  if (first) first.setAttribute("tabindex", "0");
  if (container.isRoving) return;
  container.isRoving = true;
  container.addEventListener("keydown", (event) => {
    const all = stops();
    const now = all.indexOf(document.activeElement);
    if (now < 0) return;
    const next = neighbour(all, now, event.key);
    if (!next) return;
    event.preventDefault();
    all.forEach((one) => one.setAttribute("tabindex", one === next ? "0" : "-1"));
    next.focus();
  });
}

function neighbour(all, now, key) {
  if (key === "ArrowRight") return all[now + 1];
  if (key === "ArrowLeft") return all[now - 1];
  if (key === "Home") return all[0];
  if (key === "End") return all[all.length - 1];
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const centre = (one) => {
    const box = one.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [x, y] = centre(all[now]);
  const cost = (one) => {
    const [otherX, otherY] = centre(one);
    const way = key === "ArrowDown" ? otherY - y : y - otherY;
    return way > 1 ? way + 3 * Math.abs(otherX - x) : Infinity;
  };
  const best = all.reduce((one, other) => (cost(other) < cost(one) ? other : one));
  return cost(best) < Infinity ? best : null;
}

function choice(name, words, options, chosen, change) {
  const select = html("select", { name, "aria-label": words });
  for (const [value, title] of options) {
    const option = html("option", { value }, title.length > 48 ? `${title.slice(0, 47)}…` : title);
    option.selected = value === chosen;
    select.append(option);
  }
  select.addEventListener("change", () => change(select.value));
  return html("label", {}, html("span", {}, words), select);
}

function action(words, title, act) {
  const button = html("button", { type: "button", title }, words);
  button.addEventListener("click", act);
  return button;
}

// Selects that hold an axis, or the setting, at one value; `held` maps its name to the value, or to "" for all.
function holds(data, except, held, change) {
  const known = new Map();
  for (const point of data.points) {
    for (const [axis, label] of Object.entries(point.labels)) {
      if (axis !== except) known.set(axis, (known.get(axis) || new Set()).add(label));
    }
  }
  const selects = [...known].filter(([, labels]) => labels.size > 1).map(([axis, labels]) =>
    choice(`hold-${axis}`, `${axis} at`, [["", "all"], ...[...labels].map((one) => [one, one])], held[axis] || "", (value) => {
      held[axis] = value;
      change();
    }));
  if (data.settings.length > 1 && except !== "ranks") {
    const options = [["", "all"], ...data.settings.map((one, index) => [String(index), one])];
    selects.push(choice("hold-setting", "setting", options, held[""] || "", (value) => {
      held[""] = value;
      change();
    }));
  }
  return selects;
}

function isHeld(point, held, except) {
  return Object.entries(held).every(([axis, value]) => {
    if (!value || axis === except) return true;
    return axis === "" ? except === "ranks" || String(point.setting) === value : point.labels[axis] === value;
  });
}
