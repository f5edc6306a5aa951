// The form that says which requests are listed.

import { fill, h } from "../lib/dom.js";
import { FIELDS, RANGES } from "./activity-query.js";

/** Milliseconds without a key after which what was typed counts. */
const TYPED = 300;
const STATUSES = [
  ["", "Any"],
  ["ok", "Success"],
  ["error", "Error"],
  ["400", "400 wrong request"],
  ["401", "401 no key"],
  ["403", "403 not allowed"],
  ["404", "404 not found"],
  ["429", "429 too many"],
  ["499", "499 client left"],
  ["500", "500 internal error"],
  ["502", "502 model failed"],
  ["503", "503 unavailable"],
  ["504", "504 took too long"],
];
const NAMED = [
  ["model", "Model"],
  ["tier", "Tier"],
  ["client", "Client"],
  ["session", "Session"],
];

/**
 * The form. `changed(values)` is called with the fields that are filtered by.
 *
 * `suggest(name, values)` offers values for a field, `showsAgain(view)` makes it say what `view` does.
 */
export function filters(view, changed) {
  const offered = Object.fromEntries(NAMED.map(([name]) => [name, new Set()]));
  const lists = Object.fromEntries(NAMED.map(([name]) => [name, h("datalist", { id: `activity-${name}` })]));
  const inputs = Object.fromEntries([
    ...NAMED.map(([name]) => [name, h("input", { name, list: `activity-${name}`, autocomplete: "off" })]),
    ["status", h("select", { name: "status" }, options(STATUSES))],
    ["range", h("select", { name: "range" }, options(RANGES))],
    ["start", h("input", { name: "start", type: "datetime-local" })],
    ["end", h("input", { name: "end", type: "datetime-local" })],
    ["search", h("input", { name: "search", type: "search", placeholder: "in model, path, reason, error" })],
  ]);
  const clear = h("button", { type: "button", onclick: clearAll }, "Clear filters");
  const own = [field("From", inputs.start), field("To", inputs.end)];
  const element = h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filter requests", onsubmit: submitted },
    field("Search", inputs.search),
    NAMED.map(([name, label]) => field(label, inputs[name])),
    field("Status", inputs.status),
    field("Time", inputs.range),
    own,
    clear,
    Object.values(lists),
  );
  let typed = 0;
  element.addEventListener("input", (event) => {
    clearTimeout(typed);
    if (event.target.tagName === "SELECT") read();
    else typed = setTimeout(read, TYPED);
  });
  showsAgain(view);
  return { element, suggest, showsAgain };

  function submitted(event) {
    event.preventDefault();
    clearTimeout(typed);
    read();
  }

  function read() {
    const values = Object.fromEntries(FIELDS.map((name) => [name, inputs[name].value.trim()]));
    values.range = inputs.range.value;
    for (const name of ["start", "end"]) {
      values[name] = values.range === "own" && inputs[name].value ? toUtc(inputs[name].value) : "";
    }
    mark(values);
    changed(values);
  }

  function clearAll() {
    const none = Object.fromEntries([...FIELDS, "range", "start", "end"].map((name) => [name, ""]));
    showsAgain(none);
    changed(none);
    inputs.search.focus();
  }

  function showsAgain(values) {
    for (const name of [...FIELDS, "range"]) {
      const input = inputs[name];
      input.value = values[name];
      if (input.value !== values[name]) {
        input.append(h("option", { value: values[name] }, values[name]));
        input.value = values[name];
      }
    }
    for (const name of ["start", "end"]) inputs[name].value = toLocal(values[name]);
    mark(values);
  }

  function mark(values) {
    for (const one of own) one.hidden = values.range !== "own";
    clear.hidden = ![...FIELDS, "range"].some((name) => values[name]);
  }

  function suggest(name, values) {
    const known = offered[name];
    const before = known.size;
    for (const value of values) if (value) known.add(value);
    if (known.size === before) return;
    fill(lists[name], [...known].sort().map((value) => h("option", { value })));
  }
}

function field(label, input) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), input);
}

function options(pairs) {
  return pairs.map(([value, label]) => h("option", { value }, label));
}

function toUtc(local) {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

function toLocal(text) {
  const date = new Date(text || Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
