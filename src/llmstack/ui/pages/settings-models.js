// How each model's requests are made to fit: policy, context size, fit.

import { del, get, inPath, post } from "../lib/api.js";
import { h, keyed, say } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { choiceControl, errorLine, id, numberControl, section, setting } from "./settings-parts.js";

const POLICIES = [
  ["off", "off – requests pass as they are"],
  ["limit_only", "limit_only – shorten what does not fit"],
  ["always", "always – shorten at 85 % of the room"],
  ["llm_assisted", "llm_assisted – summarise what has to go"],
];
const TRUNCATIONS = [
  ["sliding_window", "sliding_window – the oldest turns go"],
  ["strict_error", "strict_error – refuse, so that the agent compacts"],
];
const FITS = [
  ["off", "off – as the command says"],
  ["max", "on – the context is the most that is asked for"],
  ["min", "on – the context is the least that it may be"],
];
const CONTEXT = { min: 1, max: 2 ** 31 - 1, unit: "tokens" };
/** Models above which they can be filtered. */
const MANY = 8;
/** How many times a model is looked at, each second, after its state has changed. */
const LOOKS = 5;

/** The section; `show(overridden)` takes a map of overrides by model. */
export function models({ signal, onChange }) {
  const { element, body } = section(
    "Models",
    "What is done so that requests fit into a model's context. Open a model to change it.",
  );
  const filter = h("input", { type: "search", id: id("filter"), autocomplete: "off", spellcheck: "false" });
  const filtering = h("div", { class: "field" }, h("label", { for: filter.id }, "Show models named"), filter);
  const none = h("p", { class: "quiet", role: "status" });
  const list = h("div", { class: "settings-models" });
  body.append(filtering, list, none);
  let overridden = {};

  function render() {
    const known = live.state.models.map((row) => ({ ...row, id: nameOf(row) }));
    const wanted = filter.value.trim().toLowerCase();
    filtering.hidden = known.length <= MANY;
    const shown = known.filter((row) => row.id.toLowerCase().includes(wanted));
    keyed(list, shown, (row) => row.id, (row) => entry(row, { signal, onChange }), (line, row) => {
      line.tell(row, overridden[row.id]);
    });
    say(none, shown.length ? "" : known.length ? "No model is named so." : "There are no models.");
  }

  filter.addEventListener("input", render);
  live.on("models", render, signal);
  return {
    element,
    show(now) {
      overridden = now;
      render();
    },
    refresh() {
      for (const line of list.children) line.refresh();
    },
  };
}

/** A model's name as it is asked for. */
const nameOf = (row) => row.id;

/** One model: closed it says its name and what is overridden; opened, all its settings. */
function entry(model, { signal, onChange }) {
  const about = h("span", { class: "quiet" });
  const error = errorLine();
  const forms = h("div", { class: "settings-forms" });
  const element = h(
    "details",
    {},
    h("summary", {}, h("span", { class: "settings-name" }, model.id), " ", about),
    error.element,
    forms,
  );
  const path = `/api/model/${inPath(model.id)}`;
  let parts = null;
  let state = "";
  let looks = 0;

  element.tell = (row, override) => {
    const said = wordsOf(override);
    const words = said ? `overridden: ${said}` : "as configured";
    say(about, row.provider && row.provider !== "local" ? `${row.provider}, ${words}` : words);
    if (state !== row.state && state) {
      looks = LOOKS;
      element.refresh();
    }
    state = row.state;
  };
  // What a process serves is known some moments after it is ready.
  const settle = () => {
    if (looks > 0 && element.open) {
      looks -= 1;
      element.refresh();
    }
  };
  live.on("overview", settle, signal);
  element.refresh = async () => {
    if (!element.open || !element.isConnected) return;
    try {
      parts ??= partsOf(path, forms, { signal, onChange });
      await Promise.all(parts.map((part) => part.load()));
      error.show();
    } catch (problem) {
      error.show(problem);
    }
  };
  element.addEventListener("toggle", element.refresh);
  return element;
}

/** What was set for a model, in a few words. */
export function wordsOf(override) {
  if (!override) return "";
  const words = [];
  if (override.ctx_size !== undefined) words.push(`context ${override.ctx_size.toLocaleString()}`);
  if (override.fit !== undefined) words.push(override.fit ? `fit ${override.fit_mode ?? "max"}` : "fit off");
  if (override.policy !== undefined) words.push(`policy ${override.policy}`);
  if (override.truncation !== undefined) words.push(override.truncation);
  if (override.pinned !== undefined) words.push(override.pinned ? "pinned" : "not pinned");
  return words.join(", ");
}

/** The three settings, each added to `place` once it is known that the model has it. */
function partsOf(path, place, context) {
  return [policyPart, sizePart, fitPart].map((make) => {
    const part = make(path, context);
    place.append(part.element);
    return part;
  });
}

function policyPart(path, { signal, onChange }) {
  const url = `${path}/prompt-optimization`;
  const form = setting({
    title: "Context policy",
    help: "Holds for the next request.",
    controls: [
      choiceControl("policy", "Policy", POLICIES),
      choiceControl("truncationMode", "What does not fit after that", TRUNCATIONS),
    ],
    save: async (values) => row(await post(url, values, { signal })),
    reset: async () => row(await del(url, { signal })),
    onChange,
  });
  const row = (told) => ({
    ...told,
    notes: [told.actual.policy !== told.effective.policy && "Nothing is done while no window is known."],
  });
  return { element: form.element, load: async () => form.update(row(await get(url, { signal }))) };
}

function sizePart(path, context) {
  return processPart(path, "ctxsize", context, {
    title: "Context size",
    help: "For all slots together.",
    controls: [numberControl("ctxSize", "Tokens", CONTEXT)],
    told: (value) => (value === null ? null : { ctxSize: value }),
    body: (values) => values,
    now: ({ actual }) => actual !== null && `Served now: ${actual.toLocaleString()} per slot.`,
  });
}

function fitPart(path, context) {
  return processPart(path, "fit", context, {
    title: "Fit into memory",
    help: "Whether the model server fits what is not said into memory.",
    controls: [choiceControl("fit", "Fit", FITS)],
    told: (value) => (value === null ? null : { fit: value.fit ? value.mode : "off" }),
    body: ({ fit }) => (fit === "off" ? { fit: false } : { fit: true, mode: fit }),
    now: () => "",
  });
}

/** A setting of a model's process, which holds from its next start on, or at once if that is asked. */
function processPart(path, what, { signal, onChange }, { title, help, controls, told, body, now }) {
  const url = `${path}/${what}`;
  const soon = h("input", { type: "checkbox" });
  const apply = () => (soon.checked ? `${url}?apply=restart` : url);
  const form = setting({
    title,
    help,
    controls,
    extra: [h("label", { class: "settings-check" }, soon, " restart it when it is idle")],
    save: async (values) => row(await post(apply(), body(values), { signal })),
    reset: async () => row(await del(apply(), { signal })),
    onChange,
  });
  const unchangeable = h("p", { class: "quiet", hidden: true });
  const element = h("div", {}, form.element, unchangeable);
  const row = (answer) => ({
    configured: told(answer.configured),
    override: told(answer.override),
    effective: told(answer.effective),
    notes: [
      now(answer),
      answer.pending_restart && "The running process has another one until it is restarted.",
      answer.problem,
    ],
  });
  return {
    element,
    async load() {
      const answer = await get(url, { signal });
      form.element.hidden = answer.read_only;
      unchangeable.hidden = !answer.read_only || what === "fit";
      const size = what === "ctxsize" && answer.ctxSize ? `${answer.ctxSize.toLocaleString()} tokens` : "unknown";
      say(unchangeable, `${title}: ${size}. It is served elsewhere, so its process is not ours to change.`);
      form.update(row(answer));
    },
  };
}
