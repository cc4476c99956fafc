// The drift of a model: how the last requests differ from the training data, measure by measure.

import { make, percent, say } from "./pieces.js";

export function driftOf(found) {
  const title = make("summary", {}, make("strong", {}, say("drift")), " ", pill(found.state));
  return make("details", { class: "card" }, title, body(found));
}

function body(found) {
  if (found.state === "none") return make("p", {}, say("drift_none"));
  if (found.state === "waiting") return make("p", {}, say("drift_waiting", { count: found.requests, needed: found.needed }));
  const about = make("p", { class: "faint" }, say("drift_about", { count: found.requests }));
  return make("div", {}, about, make("dl", { class: "measures" }, found.measures.flatMap(measure)));
}

function measure(each) {
  const name = make("dt", {}, make("span", {}, say(`measure_${each.name}`)), pill(each.state));
  const ends = `${say("in_training")} ${shown(each, each.reference)} · ${say("now")} ${shown(each, each.current)}`;
  return [name, make("dd", { class: "faint" }, ends, ` · ${say("index")} ${each.index.toFixed(3)}`)];
}

function shown(each, value) {
  if (typeof value !== "object") return ["lengths", "scores"].includes(each.name) ? value.toFixed(2) : percent(value);
  return Object.entries(value).map(([label, share]) => `${label} ${percent(share)}`).join(", ");
}

function pill(state) {
  return ["stable", "moderate", "large"].includes(state) ? make("span", { class: `pill ${state}` }, say(`state_${state}`)) : "";
}
