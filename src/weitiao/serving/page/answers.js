// How an answer is shown, by its kind: what comes in is a prediction as the server says it, what goes out are elements.

import { bar, colour, make, paint, percent, say } from "./pieces.js";

const MOST = 8; // bars that are shown at once

export const SHOWN = { answer, events, intents, labels, number, spans, tree, vector };

function labels(said, asked) {
  const verdict = said.abstained ? say("abstained") : said.labels.join(", ") || say("no_label");
  const pair = asked.head && asked.tail ? paint(asked.text, ends(asked)) : null;
  return [pair, make("p", { class: "big" }, verdict), ...scores(said.scores)];
}

function ends(asked) {
  return ["head", "tail"].map((side) => ({ start: asked[side][0], end: asked[side][1], label: side === "head" ? "1" : "2" }));
}

function scores(found) {
  const sorted = Object.entries(found).sort((a, b) => b[1] - a[1]);
  const rows = (entries) => entries.flatMap(([name, share]) => [make("dt", {}, name), make("dd", {}, bar(share)), make("dd", {}, percent(share))]);
  const shown = [make("dl", { class: "bars" }, rows(sorted.slice(0, MOST)))];
  if (sorted.length > MOST) {
    const summary = make("summary", {}, say("more_labels", { count: sorted.length }));
    shown.push(make("details", {}, summary, make("dl", { class: "bars" }, rows(sorted.slice(MOST)))));
  }
  return shown;
}

function spans(said, asked) {
  return said.spans.length ? [paint(asked.text, said.spans), found(said.spans)] : [make("p", {}, say("nothing_found"))];
}

function found(list) {
  return make("ul", { class: "list" }, list.map((each) => make("li", {},
    make("span", { class: "piece" }, each.text),
    make("span", { class: `pill ${colour(each.label)}` }, each.label),
    make("span", { class: "faint" }, percent(each.confidence)))));
}

function intents(said, asked) {
  return [make("p", { class: "big" }, said.intents.join(", ")), ...spans(said, asked), ...scores(said.scores)];
}

function events(said, asked) {
  if (!said.events.length) return [make("p", {}, say("nothing_found"))];
  return said.events.flatMap((event) => {
    const trigger = { start: event.start, end: event.end, label: event.type };
    const title = make("p", { class: "big" }, event.type + " ", make("span", { class: "faint" }, `${say("trigger")}: ${event.text}`));
    return [title, paint(asked.text, [trigger, ...event.arguments]), found(event.arguments)];
  });
}

function number(said) {
  return [make("p", { class: "big" }, String(Number(said.score.toPrecision(5))))];
}

function vector(said) {
  const rows = [[say("dimensions"), said.vector.length], [say("first_values"), said.vector.slice(0, 6).map((each) => each.toFixed(3)).join(", ") + ", ..."]];
  const table = make("table", {}, rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value)))));
  if (said.similarity === null) return [table];
  return [make("p", { class: "big" }, `${say("similarity")}: ${said.similarity.toFixed(3)}`), bar(said.similarity), table];
}

function answer(said, asked) {
  const shown = said.no_answer
    ? [make("p", { class: "big" }, say("no_answer"))]
    : [make("p", { class: "big" }, said.text), paint(asked.text, [{ start: said.start, end: said.end, label: percent(said.confidence) }])];
  const others = said.n_best.filter((each) => said.no_answer || each.start !== said.start || each.end !== said.end).slice(0, 4);
  if (!others.length) return shown;
  const rows = others.flatMap((each) => [make("dt", {}, each.text), make("dd", {}, bar(each.confidence)), make("dd", {}, percent(each.confidence))]);
  return [...shown, make("p", { class: "label" }, say("other_answers")), make("dl", { class: "bars" }, rows)];
}

// The tree as arcs over the words, from each head to its dependents; the root's arc comes from above.
function tree(said) {
  const words = said.tokens, widths = words.map((each) => 26 + 9 * Math.max(width(each.form), width(each.upos), 0.8 * width(each.deprel)));
  const middles = widths.map((each, place) => widths.slice(0, place).reduce((sum, one) => sum + one, 0) + each / 2);
  const most = Math.max(1, ...words.map((each, place) => (each.head ? Math.abs(each.head - 1 - place) : 1)));
  const floor = 34 + 18 * Math.min(most, 8), total = widths.reduce((sum, one) => sum + one, 0);
  const picture = draw("svg", { width: total, height: floor + 48, viewBox: `0 0 ${total} ${floor + 48}`, role: "img", "aria-label": words.map((each) => `${each.form} ${each.deprel}`).join(", ") });
  words.forEach((each, place) => {
    picture.append(draw("text", { x: middles[place], y: floor + 22 }, each.form), draw("text", { x: middles[place], y: floor + 40, class: "small" }, each.upos));
    picture.append(...arc(each, place, middles, floor));
  });
  return [make("div", { class: "wide", tabindex: "0" }, picture)];
}

function arc(word, place, middles, floor) {
  const to = middles[place], tip = draw("path", { class: "tip", d: `M${to - 4} ${floor - 3}h8l-4 7z` });
  if (!word.head) {
    return [draw("path", { d: `M${to} 14V${floor - 2}` }), tip, draw("text", { x: to, y: 11, class: "small" }, word.deprel)];
  }
  const from = middles[word.head - 1] + (word.head - 1 < place ? 6 : -6), high = floor - 14 - 18 * Math.min(Math.abs(word.head - 1 - place), 8) + 4;
  const line = draw("path", { d: `M${from} ${floor}C${from} ${high} ${to} ${high} ${to} ${floor - 2}` });
  return [line, tip, draw("text", { x: (from + to) / 2, y: floor - 0.75 * (floor - high) - 3, class: "small" }, word.deprel)];
}

// Width in letters; a Chinese character is as wide as two.
function width(word) {
  return Array.from(word).reduce((sum, each) => sum + (each > "\u2e7f" ? 2 : 1), 0);
}

function draw(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}
