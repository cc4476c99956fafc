// The page: asks a model what the reader types, shows the answer, and takes what is right.

import { SHOWN } from "./answers.js";
import { correctionOf } from "./corrections.js";
import { driftOf } from "./drift.js";
import { field, find, make, say, speak } from "./pieces.js";

const LONG = new Set(["text", "text_pair"]); // fields of several lines
const part = (name) => document.getElementById(name);
const page = { texts: {}, models: [], feedback: false, drift: false, model: null, language: "en", key: "", values: {}, last: null };

start();

async function start() {
  page.texts = await (await fetch("page/texts.json")).json();
  page.language = localStorage.getItem("language") ?? preferred();
  part("switch").addEventListener("click", () => turn(page.language === "en" ? "zh_CN" : "en"));
  part("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  turn(page.language);
  note(say("loading"));
  await load();
}

function preferred() {
  const wanted = navigator.languages.find((each) => /^(en|zh)/i.test(each)) ?? "en";
  return /^zh/i.test(wanted) ? "zh_CN" : "en";
}

async function load() {
  const found = await call("page/models.json");
  if (!found) return;
  page.models = found.models;
  page.feedback = found.feedback;
  page.drift = found.drift;
  page.model = page.models[0];
  turn(page.language);
}

// Everything again in another language; what was typed and answered stays.
function turn(language) {
  page.language = language;
  localStorage.setItem("language", language);
  speak(page.texts[language]);
  document.documentElement.lang = language === "en" ? "en" : "zh-CN";
  document.title = `${say("title")} · weitiao`;
  part("switch").textContent = language === "en" ? "中文" : "English";
  part("switch").lang = language === "en" ? "zh-CN" : "en";
  document.querySelectorAll("[data-text]").forEach((each) => { each.textContent = say(each.dataset.text); });
  if (!page.model) return;
  showModels();
  showFields();
  if (page.last) showAnswer();
  else note(say("empty"));
  showDrift();
}

function showModels() {
  const choose = make("select", { change: (event) => pick(event.target.value) },
    page.models.map((each) => make("option", { value: each.name, selected: each === page.model }, `${each.name} (${each.task})`)));
  part("models").replaceChildren(field("model", say("model"), choose));
}

function pick(name) {
  page.model = page.models.find((each) => each.name === name);
  clear();
  showFields();
  note(say("empty"));
  showDrift();
}

function showFields() {
  part("fields").replaceChildren(...page.model.fields.map(({ name, needed }) => {
    const input = make(LONG.has(name) ? "textarea" : "input", { autocomplete: "off", input: (event) => { page.values[name] = event.target.value; } });
    input.id = `field-${name}`;
    input.value = page.values[name] ?? "";
    return field(name, title(name), input, needed ? "" : say("optional"));
  }));
}

function title(name) {
  return say(name === "text" && page.model.kind === "answer" ? "field_passage" : `field_${name}`);
}

// What is asked, as the server takes it; null, and a sentence, where something is missing.
function asked() {
  const values = {};
  for (const { name, needed } of page.model.fields) {
    const value = page.values[name] ?? "";
    if (value.trim()) values[name] = value;
    else if (needed) return complain(say("missing", { field: title(name) }), name);
  }
  for (const side of ["head", "tail"].filter((each) => each in values)) {
    const place = find(values.text, values[side]);
    if (!place) return complain(say("not_in_text", { piece: values[side] }), side);
    values[side] = place;
  }
  return values;
}

function complain(sentence, name) {
  note(sentence, "bad");
  part(`field-${name}`).focus();
  return null;
}

async function ask() {
  const values = asked();
  if (!values) return;
  clear();
  const model = page.model, began = performance.now();
  const found = await busy(part("go"), "asking", () => call(`v1/predict/${encodeURIComponent(model.name)}`, values, ask));
  if (!found || model !== page.model) return;
  page.last = { model, asked: values, said: found.predictions[0], cut: found.truncated.length > 0, took: performance.now() - began };
  showAnswer();
  showDrift();
}

async function busy(button, key, work) {
  const before = button.textContent;
  button.disabled = true;
  button.textContent = say(key);
  part("answer").setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.textContent = before;
    part("answer").removeAttribute("aria-busy");
  }
}

function clear() {
  page.last = null;
  part("answer").hidden = part("correction").hidden = true;
  part("message").replaceChildren();
}

function showAnswer() {
  const { model, asked: values, said, cut, took } = page.last;
  const head = make("div", { class: "head" }, make("h2", {}, say("answer")), make("span", { class: "faint" }, say("took", { milliseconds: Math.round(took) })));
  part("answer").replaceChildren(head, ...SHOWN[model.kind](said, values).filter(Boolean), cut ? make("p", { class: "faint" }, say("truncated")) : "");
  part("answer").hidden = false;
  part("message").replaceChildren();
  showCorrection();
}

function showCorrection() {
  const { model, asked: values, said } = page.last;
  const form = page.feedback ? correctionOf(model, values, said) : null;
  part("correction").hidden = !form;
  if (!form) return;
  const send = make("button", { type: "button", id: "send" }, say("send"));
  send.addEventListener("click", () => correct(send, form.read));
  const fine = form.right && make("button", { type: "button", id: "right", class: "quiet" }, say("was_right"));
  fine?.addEventListener("click", () => correct(fine, () => form.right));
  const told = make("div", { id: "told", role: "status", "aria-live": "polite" });
  part("correction").replaceChildren(make("h2", {}, say("correct")), form.element, make("div", { class: "actions" }, send, fine), told);
}

async function correct(button, read) {
  const told = part("told");
  let correction;
  try {
    correction = read();
  } catch (error) {
    told.replaceChildren(make("p", { class: "notice bad" }, error.message));
    return;
  }
  const body = { model: page.last.model.name, fields: page.last.asked, correction };
  const stored = await busy(button, "sending", () => call("v1/feedback", body, () => correct(button, read), told));
  if (!stored) return;
  told.replaceChildren(make("p", { class: "notice good" }, say("stored"), " ", make("code", { id: "stored" }, stored.id),
    stored.new_label ? make("br") : "", stored.new_label ? say("new_label") : ""));
}

async function showDrift() {
  if (!page.drift) return;
  const place = part("drift"), model = page.model;
  const answer = await fetch("v1/drift", { headers: headers() }).catch(() => null);
  if (!answer?.ok || model !== page.model) return;
  const found = (await answer.json()).models.find((each) => each.model === model.name);
  const open = place.querySelector("details")?.open;
  place.hidden = !found;
  place.replaceChildren(...(found ? [driftOf(found)] : []));
  if (found && open) place.querySelector("details").open = true;
}

function headers() {
  return { "Content-Type": "application/json", ...(page.key ? { Authorization: `Bearer ${page.key}` } : {}) };
}

// The server's answer; null after saying why there is none, with a button to try again where that may help.
async function call(address, body = null, again = load, place = part("message")) {
  place.replaceChildren();
  let answer;
  try {
    answer = await fetch(address, { method: body ? "POST" : "GET", headers: headers(), body: body && JSON.stringify(body) });
  } catch {
    return refuse(place, say("unreachable"), again);
  }
  if (answer.ok) return answer.json();
  if (answer.status === 401) return unlock(place, again);
  if (answer.status === 429 || answer.status === 503) {
    const seconds = answer.headers.get("Retry-After") ?? 1;
    return refuse(place, say(answer.status === 429 ? "busy" : "unavailable", { seconds }), again);
  }
  const detail = (await answer.json().catch(() => ({}))).detail;
  return refuse(place, typeof detail === "string" ? detail : say("failed", { status: answer.status }));
}

function refuse(place, sentence, again = null) {
  const button = again && make("button", { type: "button", class: "quiet", click: () => again() }, say("again"));
  place.replaceChildren(make("div", { class: "notice bad" }, sentence, button && make("div", { class: "actions" }, button)));
  return null;
}

function unlock(place, again) {
  const key = make("input", { type: "password", autocomplete: "off" });
  const button = make("button", { type: "button", click: () => { page.key = key.value; again(); } }, say("again"));
  place.replaceChildren(make("div", { class: "notice" }, make("p", {}, say("key_needed")), field("key", say("key"), key), make("div", { class: "actions" }, button)));
  return null;
}

function note(sentence, kind = "") {
  part("message").replaceChildren(make("p", { class: `notice ${kind}` }, sentence));
}
