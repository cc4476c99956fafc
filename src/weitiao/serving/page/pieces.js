// Small parts of the page: elements, texts, and offsets. The server counts characters (code points), JavaScript counts
// UTF-16 units; everything here that is called a place counts characters.

let said = {};

export function speak(texts) {
  said = texts;
}

// The text of a key, with {names} filled in.
export function say(key, values = {}) {
  return (said[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// An element: attributes (functions are listeners, null and false are left out), then children, texts among them.
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function field(name, title, input, note = "") {
  input.id ||= name;
  input.name = name;
  return make("div", { class: "field" }, make("label", { for: input.id }, title + " ", note && make("small", {}, note)), input);
}

export function percent(share) {
  return (100 * share).toFixed(share > 0.999 || share < 0.001 ? 2 : 1) + " %";
}

export function bar(share) {
  const inner = make("i");
  inner.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("div", { class: "track", "aria-hidden": "true" }, inner);
}

export function slice(text, start, end) {
  return Array.from(text).slice(start, end).join("");
}

// [start, end] of a piece in a text, at a wanted place if it stands there; null where it does not stand in it.
export function find(text, piece, wanted = null) {
  const size = Array.from(piece).length;
  if (!size) return null;
  if (wanted !== null && slice(text, wanted, wanted + size) === piece) return [wanted, wanted + size];
  const unit = text.indexOf(piece);
  if (unit < 0) return null;
  const start = Array.from(text.slice(0, unit)).length;
  return [start, start + size];
}

// [start, end] of what the reader has marked inside an element that holds the text alone; null where that is nothing.
export function marked(element) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed || !element.contains(selection.anchorNode)) return null;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.startContainer) || !element.contains(range.endContainer)) return null;
  const before = range.cloneRange();
  before.selectNodeContents(element);
  before.setEnd(range.startContainer, range.startOffset);
  const start = Array.from(before.toString()).length;
  return [start, start + Array.from(range.toString()).length];
}

const colours = new Map();

// One of eight colours, the same for a label wherever it stands.
export function colour(label) {
  if (!colours.has(label)) colours.set(label, `c${colours.size % 8}`);
  return colours.get(label);
}

// The untouched text with its spans marked, nested and crossing ones too: each stretch has the colour of the shortest
// span over it, and each span's label stands behind its end.
export function paint(text, spans) {
  const characters = Array.from(text);
  const borders = [...new Set([0, characters.length, ...spans.flatMap((span) => [span.start, span.end])])].sort((a, b) => a - b);
  const shown = make("p", { class: "source" });
  borders.slice(0, -1).forEach((start, place) => {
    const end = borders[place + 1];
    const over = spans.filter((span) => span.start <= start && span.end >= end);
    const piece = characters.slice(start, end).join("");
    if (!over.length) {
      shown.append(piece);
      return;
    }
    over.sort((a, b) => a.end - a.start - (b.end - b.start));
    const labels = over.filter((span) => span.end === end).map((span) => make("sub", {}, span.label));
    shown.append(make("mark", { class: colour(over[0].label) }, piece, labels));
  });
  return shown;
}
