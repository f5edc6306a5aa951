// What a model is told beside the messages: empty is its own default, and is not sent.

import { fill, h, say, set } from "../lib/dom.js";
import { chat, choose } from "./playground-store.js";

const PENALTIES = ["presence_penalty", "frequency_penalty", "repeat_penalty"];
/** `own` is what a llama-server calls its default. */
const NUMBERS = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, own: "temperature" },
  { name: "top_p", label: "Top p", min: 0, max: 1, step: 0.01, own: "top_p" },
  { name: "top_k", label: "Top k", min: 0, max: 1000, step: 1, own: "top_k" },
  { name: "min_p", label: "Min p", min: 0, max: 1, step: 0.01, own: "min_p" },
  { name: "max_tokens", label: "Max. tokens", min: 1, max: 1_000_000, step: 1 },
  { name: "seed", label: "Seed", min: 0, max: 4_294_967_295, step: 1 },
  { name: "presence_penalty", label: "Presence", min: -2, max: 2, step: 0.1, own: "presence_penalty" },
  { name: "frequency_penalty", label: "Frequency", min: -2, max: 2, step: 0.1, own: "frequency_penalty" },
  { name: "repeat_penalty", label: "Repetition", min: 0, max: 2, step: 0.05, own: "repeat_penalty" },
];

/** The part of a request's body that `settings`, texts by name, stand for. */
export function sampling(settings) {
  const told = {};
  for (const field of NUMBERS) {
    const text = (settings[field.name] ?? "").trim();
    if (text && !fault(field, text)) told[field.name] = Number(text);
  }
  const stops = (settings.stop ?? "").split("\n").filter(Boolean);
  if (stops.length) told.stop = stops;
  return told;
}

/** What is wrong with `settings`, in words; empty if they can be sent. */
export function faults(settings) {
  return NUMBERS.map((field) => fault(field, (settings[field.name] ?? "").trim())).find(Boolean) ?? "";
}

function fault({ label, min, max, step }, text) {
  const number = Number(text);
  if (!text || (number >= min && number <= max && (step !== 1 || Number.isInteger(number)))) return "";
  return `${label} is a${step === 1 ? " whole" : ""} number from ${min} to ${max}.`;
}

/** The panel: `{element, own(defaults)}`; `own` tells what the model itself would take. */
export function fields() {
  const problem = h("p", { class: "error", role: "alert", id: "play-fault", hidden: true });
  const inputs = new Map();
  for (const field of NUMBERS) inputs.set(field.name, number(field));
  const stop = h("textarea", { id: "play-stop", rows: 2, placeholder: "one text per line" });
  const system = h("textarea", { id: "play-system", rows: 4, placeholder: "none" });
  inputs.set("stop", stop).set("system", system);
  const reset = h("button", { type: "button", onclick: clear }, "Reset");
  const changed = h("span", { class: "badge good", hidden: true });
  const summary = h("summary", {}, h("span", {}, "Settings"), changed);
  const element = h(
    "details",
    { class: "card play-settings", open: matchMedia("(min-width: 70rem)").matches },
    summary,
    labelled("System prompt", system),
    h("div", { class: "play-numbers" }, some(({ name }) => !PENALTIES.includes(name))),
    h("fieldset", {}, h("legend", {}, "Penalties"), h("div", { class: "play-numbers" }, some(({ name }) => PENALTIES.includes(name)))),
    labelled("Stop at", stop),
    problem,
    h("div", { class: "row spread" }, h("span", { class: "quiet small" }, "Empty: the model's own, nothing is sent."), reset),
  );
  for (const [name, input] of inputs) input.addEventListener("input", () => change(name, input.value));
  show();

  function some(which) {
    return NUMBERS.filter(which).map(({ name, label }) => labelled(label, inputs.get(name)));
  }

  function number({ name, min, max, step }) {
    return h("input", { type: "number", id: `play-${name}`, min, max, step: step === 1 ? 1 : "any", inputmode: "decimal" });
  }

  function change(name, value) {
    const settings = { ...chat.settings };
    if (value.trim()) settings[name] = value;
    else delete settings[name];
    choose({ settings });
    mark();
  }

  function clear() {
    choose({ settings: {} });
    show();
  }

  function show() {
    for (const [name, input] of inputs) input.value = chat.settings[name] ?? "";
    mark();
  }

  function mark() {
    const count = Object.keys(chat.settings).length;
    changed.hidden = count === 0;
    reset.disabled = count === 0;
    say(changed, `${count} set`);
    for (const field of NUMBERS) {
      const input = inputs.get(field.name);
      const wrong = input.validity.badInput || fault(field, (chat.settings[field.name] ?? "").trim());
      set(input, "aria-invalid", wrong ? "true" : false);
      set(input, "aria-describedby", wrong ? "play-fault" : false);
    }
    fill(problem, faults(chat.settings));
    problem.hidden = !faults(chat.settings);
  }

  function own(defaults) {
    for (const { name, own: called } of NUMBERS) {
      const value = defaults?.[called];
      set(inputs.get(name), "placeholder", Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : "own");
    }
  }

  own(null);
  return { element, own };
}

function labelled(label, input) {
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input);
}
