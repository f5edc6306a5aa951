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
  const size = h("input", { type: "number", min: 1, step: 1, required: true, value: told.override ?? told.effective });
  const now = h("input", { type: "checkbox", checked: true });
  const apply = () => (now.checked ? "?apply=restart" : "");
  const form = h(
    "form",
    { class: "row ends" },
    h("label", { class: "field" }, h("span", { class: "label" }, "Tokens"), size),
    h("button", { type: "submit" }, "Set"),
    told.override !== null && h("button", { type: "button", onclick: () => run(() => del(path + apply())) }, "Reset"),
    h("label", { class: "check" }, now, " restart the model when it is idle, if it runs"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(() => post(path + apply(), { ctxSize: Number(size.value) }));
  });
  section.hidden = false;
  fill(
    section,
    h("h3", {}, "Context"),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, count(value))))),
    told.pending_restart && h("p", { class: "quiet" }, "The running process has another one until it is started again."),
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
  const policy = choice(POLICIES, effective.policy, () => run(() => post(path, { policy: policy.value })));
  const mode = choice(TRUNCATIONS, effective.truncationMode, () => run(() => post(path, { truncationMode: mode.value })));
  section.hidden = false;
  fill(
    section,
    h("h3", {}, "Requests that are too long"),
    h(
      "div",
      { class: "row ends" },
      h("label", { class: "field" }, h("span", { class: "label" }, "Context policy"), policy),
      h("label", { class: "field" }, h("span", { class: "label" }, "What cannot be kept"), mode),
      override && h("button", { type: "button", onclick: () => run(() => del(path)) }, "Reset"),
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

function choice(options, value, changed) {
  const known = options.some(([name]) => name === value) ? options : [...options, [value, value]];
  const select = h("select", { onchange: changed }, known.map(([name, text]) => h("option", { value: name }, text)));
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
