// The models: what is loaded first, then the others. Loading and unloading is the Models page's work.

import { h, keyed, say, set } from "../lib/dom.js";
import { bytes, seconds, speed } from "../lib/format.js";
import * as live from "../lib/live.js";
import { colourOf } from "./overview-colours.js";

const STATES = { ready: "loaded", starting: "loading", stopping: "stopping", stopped: "not loaded" };
const HOSTED = { bedrock: "Bedrock", openai: "hosted", ollama: "Ollama", peer: "peer" };
/** What a hosted model's state means, where something is wrong with it. */
const AILING = { down: "nothing is sent there for now", unusable: "cannot work as it is configured" };
/** Models that are not loaded are counted from this many on. */
const MANY = 12;

/** `{element, show(overview)}`. */
export function models() {
  const list = h("ul", { class: "loaded" });
  const more = h("p", { class: "quiet" });
  const setup = h("code", {}, "llmstack setup");
  const none = h("p", {}, "No model is configured yet. ", setup, " chooses some that fit this machine.");
  const element = h(
    "section",
    { class: "card" },
    h("div", { class: "row spread" }, h("h2", {}, "Models"), h("a", { href: "/ui/models" }, "Load, unload, details")),
    none,
    list,
    more,
  );
  function show(overview) {
    const sorted = overview.models.map(present).sort((one, other) => rank(one) - rank(other));
    const shown = sorted.filter((model, number) => number < MANY || rank(model) < 2);
    none.hidden = sorted.length > 0;
    more.hidden = shown.length === sorted.length;
    say(more, `and ${sorted.length - shown.length} more that are not loaded`);
    keyed(list, shown, ({ id }) => id, item, (li, model) => update(li, model, overview));
  }
  return { element, show };
}

/** A model in the state that it has by now: changes are told at once, overviews once a second. */
function present(model) {
  const now = live.state.models.find(({ id }) => id === model.id)?.state;
  return now && model.provider === "local" ? { ...model, state: now } : model;
}

function rank({ state, provider }) {
  if (["ready", "starting", "stopping"].includes(state)) return provider === "local" ? 0 : 1;
  return provider === "local" ? 2 : 1;
}

function item() {
  return h(
    "li",
    {},
    h("span", { class: "swatch", "aria-hidden": "true" }),
    h("span", { class: "model-name" }),
    h("span", { class: "badge" }),
    h("span", { class: "model-now" }),
    h("span", { class: "model-facts quiet" }),
  );
}

function update(li, model, overview) {
  const [swatch, name, badge, now, facts] = li.children;
  const local = model.provider === "local";
  const idle = local && !["ready", "starting", "stopping"].includes(model.state);
  set(li, "class", idle && "idle");
  set(li, "data-model", model.id);
  set(swatch, "class", ["swatch", idle || !local ? "none" : colourOf(model.id, overview)]);
  say(name, model.name || model.id);
  set(name, "title", model.id);
  const where = HOSTED[model.provider] ?? model.provider;
  const hosted = AILING[model.state] ? `${where}, ${model.state}` : where;
  say(badge, local ? (STATES[model.state] ?? model.state) : hosted);
  set(badge, "class", ["badge", local ? model.state : AILING[model.state] && "bad"]);
  say(now, !idle && model.tokens_per_second > 0 ? speed(model.tokens_per_second) : "");
  say(facts, described(model, overview).join(" · "));
}

function described(model, { time }) {
  const told = [];
  if (model.memory) told.push(bytes(model.memory));
  if (model.in_flight) told.push(`answering ${model.in_flight}`);
  if (model.waiting) told.push(`${model.waiting} ${model.waiting === 1 ? "waits" : "wait"}`);
  const since = typeof model.since === "number" ? time - model.since : null;
  if (model.state === "starting" && since !== null) told.push(`for ${seconds(Math.max(0, Math.floor(since)))}`);
  if (model.state === "ready" && model.ttl_left > 0) told.push(`unloads in ${seconds(Math.ceil(model.ttl_left))}`);
  if (model.provider !== "local" && AILING[model.state]) told.push(AILING[model.state]);
  return told;
}
