// How an answer is corrected, by its kind. A form is an element, what it says is right, and what the answer itself says,
// both as a training row has it; `read` throws a sentence where the reader has not said enough.

import { colour, field, find, make, marked, say, slice } from "./pieces.js";

const MANY = 30; // labels beyond which they are typed, with suggestions, and no longer shown as buttons

const FORMS = { answer, events, intents, labels, number, spans, tree, vector };

export function correctionOf(model, asked, said) {
  return FORMS[model.kind](model, asked, said);
}

function labels(model, asked, said) {
  const choice = choosing(model.labels.label, model.several, said.labels);
  const as = (names) => ({ [model.answer]: model.several ? names : names[0] });
  return {
    element: make("div", {}, choice.element),
    read: () => as(choice.read()),
    right: said.labels.length && !said.abstained ? as(said.labels) : null,
  };
}

// Buttons for labels, one or several of which are pressed, and a line for one that is not among them.
function choosing(names, several, chosen) {
  const pressed = new Set(several ? chosen : []);
  const other = make("input", { list: "labels", autocomplete: "off" });
  const chips = names.length > MANY ? [] : names.map((name) => make("button", { type: "button", class: "chip", "aria-pressed": String(pressed.has(name)), click: () => press(name) }, name));
  function press(name) {
    const was = pressed.has(name);
    if (!several) pressed.clear();
    if (was) pressed.delete(name);
    else pressed.add(name);
    if (!several) other.value = "";
    chips.forEach((chip) => chip.setAttribute("aria-pressed", String(pressed.has(chip.textContent))));
  }
  function read() {
    const typed = other.value.trim();
    const told = typed && !several ? [typed] : [...pressed, ...(typed ? [typed] : [])];
    if (!told.length && !several) throw new Error(say("choose"));
    return told;
  }
  const title = make("p", { class: "label" }, say(several ? "right_labels" : "right_label"));
  const known = make("datalist", { id: "labels" }, names.map((value) => make("option", { value })));
  return { element: make("div", {}, title, make("div", { class: "chips" }, chips), field("other", say("other_label"), other), known), read };
}

function spans(model, asked, said) {
  const editor = marking(asked.text, model.labels.label, said.spans);
  return { element: editor.element, read: () => ({ spans: editor.read() }), right: { spans: bare(said.spans) } };
}

function bare(found) {
  return found.map(({ start, end, label }) => ({ start, end, label }));
}

// The text to mark pieces in, a line to add one with its label, and the list of those there are.
function marking(text, names, found) {
  const kept = bare(found), list = make("ul", { class: "list" });
  const source = make("p", { class: "source" }, text), place = { start: null };
  const piece = make("input", { autocomplete: "off" }), label = make("input", { list: "span-labels", autocomplete: "off" });
  const wrong = make("p", { class: "faint", role: "alert" });
  follow(source, piece, text, place);
  function add() {
    const at = find(text, piece.value, place.start), name = label.value.trim();
    wrong.textContent = !at ? say("not_in_text", { piece: piece.value }) : name ? "" : say("choose");
    if (wrong.textContent) return;
    kept.push({ start: at[0], end: at[1], label: name });
    piece.value = "";
    show();
  }
  function show() {
    kept.sort((a, b) => a.start - b.start || a.end - b.end);
    list.replaceChildren(...kept.map((each, number) => {
      const words = slice(text, each.start, each.end);
      const remove = make("button", { type: "button", class: "quiet", "aria-label": say("remove", { piece: words }), click: () => { kept.splice(number, 1); show(); } }, "×");
      return make("li", {}, make("span", { class: "piece" }, words), make("span", { class: `pill ${colour(each.label)}` }, each.label), remove);
    }));
  }
  show();
  const known = make("datalist", { id: "span-labels" }, names.map((value) => make("option", { value })));
  const button = make("button", { type: "button", class: "quiet", click: add }, say("add"));
  const adding = make("div", { class: "adding" }, field("piece", say("piece"), piece), field("label", say("label"), label), button);
  return { element: make("div", {}, make("p", { class: "faint" }, say("select")), source, adding, wrong, list, known), read: () => kept };
}

// What is marked in the text stands in the line, and its place is kept until something else is typed there.
function follow(source, input, text, place) {
  const take = () => {
    const at = marked(source);
    if (!at) return;
    [place.start] = at;
    input.value = slice(text, ...at);
  };
  source.addEventListener("pointerup", () => setTimeout(take));
  source.addEventListener("touchend", () => setTimeout(take, 50));
  input.addEventListener("input", () => { place.start = null; });
}

function intents(model, asked, said) {
  const choice = choosing(model.labels.intent, model.several, said.intents);
  const editor = marking(asked.text, model.labels.slot ?? [], said.spans);
  const as = (names, found) => ({ intent: model.several ? names : names[0], spans: found });
  return {
    element: make("div", {}, choice.element, editor.element),
    read: () => as(choice.read(), editor.read()),
    right: as(said.intents, bare(said.spans)),
  };
}

function number(model, asked, said) {
  const input = make("input", { type: "number", step: "any", inputmode: "decimal" });
  return {
    element: field("number", say(model.kind === "vector" ? "right_similarity" : "right_number"), input),
    read: () => {
      if (input.value === "" || !Number.isFinite(Number(input.value))) throw new Error(say("choose"));
      return { [model.answer]: Number(input.value) };
    },
    right: null,
  };
}

// Two texts can be more or less alike; of a vector alone nothing can be said to be right.
function vector(model, asked, said) {
  return said.similarity === null ? null : number(model, asked, said);
}

function answer(model, asked, said) {
  const piece = make("input", { autocomplete: "off" }), none = make("input", { type: "checkbox", id: "none" });
  const source = make("p", { class: "source" }, asked.text), place = { start: null };
  follow(source, piece, asked.text, place);
  const as = (at) => ({ answers: at ? [{ text: slice(asked.text, ...at), start: at[0] }] : [] });
  return {
    element: make("div", {}, source, field("piece", say("right_answer"), piece), make("label", { for: "none", class: "field" }, none, say("none_there"))),
    read: () => {
      const at = none.checked ? null : find(asked.text, piece.value, place.start);
      if (!none.checked && !at) throw new Error(piece.value ? say("not_in_text", { piece: piece.value }) : say("choose"));
      return as(at);
    },
    right: as(said.no_answer ? null : [said.start, said.end]),
  };
}

function tree(model, asked, said) {
  const rows = said.tokens.map((word, place) => ({
    word: word.form,
    upos: make("input", { value: word.upos, list: "parts", "aria-label": `${say("part")}: ${word.form}` }),
    head: make("input", { value: word.head, type: "number", min: 0, max: said.tokens.length, "aria-label": `${say("head")}: ${word.form}` }),
    deprel: make("input", { value: word.deprel, list: "relations", "aria-label": `${say("relation")}: ${word.form}` }),
    number: place + 1,
  }));
  const names = ["", "word", "part", "head", "relation"].map((key) => make("th", {}, key && say(key)));
  const body = rows.map((row) => make("tr", {}, [String(row.number), row.word, row.upos, row.head, row.deprel].map((each) => make("td", {}, each))));
  const known = [["parts", "upos"], ["relations", "deprel"]].map(([id, kind]) => make("datalist", { id }, (model.labels[kind] ?? []).map((value) => make("option", { value }))));
  const read = () => ({
    tokens: rows.map((row) => row.word),
    upos: rows.map((row) => row.upos.value.trim()),
    heads: rows.map((row) => Number(row.head.value)),
    deprels: rows.map((row) => row.deprel.value.trim()),
  });
  return { element: make("div", { class: "wide" }, make("table", {}, make("tr", {}, names), body), known), read, right: read() };
}

function events(model, asked, said) {
  const right = { events: said.events.map(({ type, start, end, arguments: found }) => ({ type, start, end, arguments: bare(found) })) };
  const input = make("textarea", { spellcheck: "false", rows: 8 });
  input.value = JSON.stringify(right.events, null, 1);
  return {
    element: field("events", say("right_events"), input),
    read: () => {
      try {
        return { events: JSON.parse(input.value) };
      } catch {
        throw new Error(say("not_json"));
      }
    },
    right,
  };
}
