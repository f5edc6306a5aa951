// Keys: who may ask, and for what.

import { del, get, post } from "../lib/api.js";
import { confirm, copyButton, dialog } from "../lib/dialog.js";
import { h, say, set } from "../lib/dom.js";
import { ago, count, moment } from "../lib/format.js";
import * as live from "../lib/live.js";
import { tell } from "../lib/notice.js";
import { table } from "../lib/table.js";
import { errorLine, id, section } from "./settings-parts.js";

const EXPIRIES = [
  ["", "Never"],
  ["7d", "In 7 days"],
  ["30d", "In 30 days"],
  ["90d", "In 90 days"],
  ["365d", "In a year"],
];
const SOURCES = { file: "this stack", environment: "the variable API_KEYS", "config.json": "config.json" };
const NEEDED =
  "Clients need a key. This page needs none on this machine; from elsewhere it takes one that may change everything.";
const NOT_NEEDED = "Clients on this machine need no key. With the first one, all of them do.";
/** Which field an error is about, by the words in it. */
const ABOUT = [
  [/\bmodels?\b/i, "models"],
  [/expire|past|\bdate\b/i, "expires"],
  [/\brate\b|a minute/i, "rate"],
  [/\badmin\b/i, "admin"],
];

/** The section; `load()` asks for the keys. */
export function keys({ signal }) {
  const { element, body } = section("Keys", "Who may ask, and for which models. A key is shown once and kept as a hash.");
  const error = errorLine();
  const required = h("p", { role: "status" });
  const content = h("div", { hidden: true });
  const rows = table({
    label: "All keys",
    key: (row) => `${row.source}/${row.name}`,
    empty: "There are no keys.",
    columns: [
      { id: "name", label: "Name", sort: (row) => row.name, cell: nameCell },
      { id: "scope", label: "May ask for", cell: scope },
      { id: "rate", label: "Limit", numeric: true, sort: (row) => row.rate ?? Infinity, cell: limit },
      { id: "expires", label: "Expires", sort: (row) => row.expires ?? Infinity, cell: expiry },
      { id: "used", label: "Last used", sort: (row) => row.last_used ?? 0, cell: (row) => ago(row.last_used) },
      { id: "requests", label: "Requests", numeric: true, sort: (row) => row.requests, cell: (row) => count(row.requests) },
      { id: "revoke", label: "Revoke", cell: revokeCell },
    ],
  });
  content.append(rows.element, keyForm({ signal, load }));
  body.append(required, error.element, content);

  async function load() {
    try {
      const { kind } = live.state.overview ?? (await get("/api/overview", { signal }));
      if (kind === "swap") {
        say(required, "The keys here are those of the configuration file.");
        return;
      }
      const told = await get("/api/keys", { signal });
      content.hidden = false;
      rows.show(told.keys);
      say(required, told.required ? NEEDED : NOT_NEEDED);
      error.show();
    } catch (problem) {
      content.hidden = true;
      say(required, "");
      error.show(problem);
    }
  }

  function revokeCell(row, td) {
    if (td.firstChild) return;
    if (!row.revocable) {
      say(td, `from ${SOURCES[row.source] ?? row.source}`);
      return;
    }
    const problem = errorLine();
    const button = h("button", { type: "button", class: "danger", "aria-label": `Revoke ${row.name}` }, "Revoke");
    button.addEventListener("click", async () => {
      const what = `Clients that show “${row.name}” are refused from now on. This cannot be taken back.`;
      if (!(await confirm(`Revoke ${row.name}`, what, "Revoke"))) return;
      try {
        await del(`/api/keys/${encodeURIComponent(row.name)}`, { signal });
        tell(`The key ${row.name} is revoked.`);
        await load();
        rows.element.focus();
      } catch (error) {
        problem.show(error);
      }
    });
    td.append(button, problem.element);
  }

  return { element, load };
}

function nameCell(row, td) {
  if (td.firstChild) return;
  td.append(h("strong", {}, row.name), " ", h("code", { class: "quiet" }, row.prefix ? `${row.prefix}…` : ""));
}

function scope(row) {
  const models = row.models === null ? "all models" : row.models.join(", ");
  return row.admin ? `${models}; may change everything` : models;
}

const limit = (row) => (row.rate === null ? "none" : `${count(row.rate)} a minute`);

function expiry(row) {
  if (row.expires === null) return "never";
  return row.expired ? `expired ${moment(row.expires)}` : moment(row.expires);
}

/** The form that makes a key. */
function keyForm({ signal, load }) {
  const fields = {
    name: entry("Name", h("input", { required: true, maxlength: 64, autocomplete: "off", spellcheck: "false" })),
    models: entry(
      "Models",
      h("input", { placeholder: "all", autocomplete: "off", spellcheck: "false" }),
      "Names with commas between them, “auto” among them if it may choose. Empty: all.",
    ),
    expires: entry("Expires", h("select", {}, EXPIRIES.map(([value, title]) => h("option", { value }, title)))),
    rate: entry("Requests a minute", h("input", { type: "number", min: 1, step: 1, placeholder: "any" })),
    admin: entry("May change everything", h("input", { type: "checkbox" }), "Settings, keys and logs. For your own machines."),
  };
  const form = h(
    "form",
    { class: "settings-key", novalidate: true },
    h("h3", {}, "Make a key"),
    Object.values(fields).map((one) => one.element),
    h("button", { type: "submit", class: "primary" }, "Make the key"),
  );
  let busy = false;

  form.addEventListener("input", () => complain());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain();
    for (const [name, { input }] of Object.entries(fields)) {
      if (!input.checkValidity()) return complain(name, input.validationMessage);
    }
    if (busy) return;
    busy = true;
    try {
      const made = await post("/api/keys", wanted(fields), { signal });
      form.reset();
      await load();
      showKey(made, fields.name.input);
    } catch (problem) {
      if (problem.name === "AbortError") return;
      const found = ABOUT.find(([words]) => words.test(problem.message));
      complain(found ? found[1] : "name", problem);
    } finally {
      busy = false;
    }
  });

  function complain(name, problem) {
    for (const [one, { input, error }] of Object.entries(fields)) {
      set(input, "aria-invalid", one === name ? "true" : null);
      error.show(one === name ? problem : null);
    }
    fields[name]?.input.focus();
  }

  return form;
}

function entry(label, input, help) {
  const error = errorLine();
  const about = id("about");
  input.id = id("key");
  set(input, "aria-describedby", help ? `${about} ${error.element.id}` : error.element.id);
  const element = h("div", { class: "field" }, [
    h("label", { for: input.id }, label),
    input,
    help && h("p", { class: "quiet", id: about }, help),
    error.element,
  ]);
  return { element, input, error };
}

function wanted(fields) {
  const models = fields.models.input.value.split(",").map((name) => name.trim()).filter(Boolean);
  return {
    name: fields.name.input.value.trim(),
    ...(models.length > 0 && { models }),
    ...(fields.expires.input.value && { expires: fields.expires.input.value }),
    ...(fields.rate.input.value && { rate: Number(fields.rate.input.value) }),
    ...(fields.admin.input.checked && { admin: true }),
  };
}

function showKey(made, after) {
  const element = dialog(
    `The key ${made.name}`,
    [
      h("p", {}, "Copy it now: it is not shown again, and only its hash is kept."),
      h("p", {}, h("code", { class: "settings-secret", tabindex: 0, "aria-label": "The key" }, made.key)),
    ],
    [copyButton(() => made.key, "Copy the key")],
  );
  element.addEventListener("close", () => after.focus());
}
