// How much context a model gets, and what is done so that requests fit into it.

import { del, inPath, post } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { count } from "../lib/format.js";

const POLICIES = [
  ["off", "Off: requests go as they are"],
  ["limit_only", "Limit only: acts when a request does not fit"],
  ["always", "Always: begins early and folds repetition"],
  ["llm_assisted", "Assisted: sums up what is dropped"],
];
const TRUNCATIONS = [
  ["sliding_window", "Drop the oldest turns"],
  ["strict_error", "Refuse with an error"],
];
const PENDING = "The running process has another one until it is started again.";

/** Show in `section` what `GET .../ctxsize` tells; `changed()` is called after a change. */
export function contextPanel(section, id, told, changed) {
  if (unchanged(section, told)) return;
  const path = `/api/model/${inPath(id)}/ctxsize`;
  const said = h("p", { role: "status" });
  const facts = [
    ["Configured", told.configured],
    ["Set here", told.override],
    ["Effective", told.effective],
    ["Served now", told.actual],
  ];
  const value = told.override ?? told.effective;
  const size = h("input", { type: "number", min: 1, step: 1, required: true, value });
  const now = h("input", { type: "checkbox", checked: true });
  const apply = () => (now.checked ? "?apply=restart" : "");
  const form = h(
    "form",
    { class: "row ends" },
    h("label", { class: "field" }, h("span", { class: "label" }, "Tokens"), size),
    h("button", { type: "submit" }, "Set"),
    told.override !== null && resetButton(() => run(() => del(path + apply()))),
    h("label", {}, now, " restart the model when it is idle, if it runs"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => post(path + apply(), { ctxSize: Number(size.value) }));
  });
  section.hidden = false;
  fill(
    section,
    h("h3", {}, "Context"),
    h("dl", { class: "facts" }, facts.map(([name, tokens]) => fact(name, count(tokens)))),
    told.pending_restart && h("p", { class: "quiet" }, PENDING),
    told.problem && h("p", { class: "error" }, told.problem),
    !told.read_only && form,
    said,
  );
  const run = runner(said, changed);
}

/** Show in `section` what `GET .../prompt-optimization` tells; see `contextPanel`. */
export function policyPanel(section, id, told, changed) {
  if (unchanged(section, told)) return;
  const path = `/api/model/${inPath(id)}/prompt-optimization`;
  const said = h("p", { role: "status" });
  const { configured, override, effective, actual } = told;
  const change = (body) => run(() => post(path, body));
  const policy = choice(POLICIES, effective.policy, (chosen) => change({ policy: chosen }));
  const mode = choice(TRUNCATIONS, effective.truncationMode, (chosen) => change({ truncationMode: chosen }));
  section.hidden = false;
  fill(
    section,
    h("h3", {}, "Requests that are too long"),
    h(
      "div",
      { class: "row ends" },
      h("label", { class: "field" }, h("span", { class: "label" }, "Context policy"), policy),
      h("label", { class: "field" }, h("span", { class: "label" }, "What cannot be kept"), mode),
      override && resetButton(() => run(() => del(path))),
    ),
    h(
      "p",
      { class: "quiet" },
      override ? `Set here; configured: ${configured.policy}, ${configured.truncationMode}. ` : "As configured. ",
      actual.policy !== effective.policy && "Off for now: the model's window is not known.",
    ),
    said,
  );
  const run = runner(said, changed);
}

function fact(name, text) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, text));
}

function resetButton(onclick) {
  return h("button", { type: "button", onclick }, "Reset");
}

function choice(options, value, changed) {
  const known = options.some(([name]) => name === value) ? options : [...options, [value, value]];
  const listed = known.map(([name, text]) => h("option", { value: name }, text));
  const select = h("select", { onchange: () => changed(select.value) }, listed);
  select.value = value;
  return select;
}

/** Whether the section shows this already, so that what is typed into it stays. */
function unchanged(section, told) {
  const text = JSON.stringify(told);
  if (section.told === text) return true;
  section.told = text;
  return false;
}

/** Does work and says beside the form how it went. */
function runner(said, changed) {
  return async (work) => {
    said.className = "quiet";
    said.textContent = "…";
    try {
      const { msg } = await work();
      said.textContent = `${msg}.`;
      changed();
    } catch (error) {
      said.className = "error";
      said.textContent = error.message;
    }
  };
}
