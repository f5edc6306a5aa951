// The columns of the list, and which of them are shown.

import { h } from "../lib/dom.js";
import { count, milliseconds, moment, speed, usd } from "../lib/format.js";

const KEPT = "activity.columns";
const NARROW = matchMedia("(max-width: 50rem)");

const of = (name) => (row) => row.metadata?.[name] || "–";
const time = (name) => (row) => milliseconds(row.metadata?.[name]);

/**
 * `sort` is the daemon's name of what is sorted by. `usual` columns are shown unless others were
 * chosen, `first` ones on a phone too, those where `ifAny` holds for a row. The time is always
 * there: it opens the request.
 */
const COLUMNS = [
  { id: "time", label: "Time", sort: "time", always: true },
  { id: "client", label: "Client", usual: true, sort: "client", ifAny: (row) => row.metadata?.client, cell: of("client") },
  { id: "session", label: "Session", usual: true, ifAny: (row) => row.metadata?.session, cell: of("session") },
  { id: "answers", label: "Tier or model", usual: true, first: true, sort: "model", cell: whoAnswers },
  { id: "tier", label: "Tier", sort: "tier", cell: of("tier") },
  { id: "model", label: "Model", cell: (row) => row.model },
  { id: "reason", label: "Reason", usual: true, cell: of("reason") },
  { id: "in", label: "In", title: "Prompt tokens", usual: true, numeric: true, sort: "prompt", cell: (row) => tokens(row.tokens?.input_tokens) },
  { id: "cached", label: "Cached", title: "Prompt tokens that were cached", usual: true, numeric: true, sort: "cached", cell: (row) => tokens(row.tokens?.cache_tokens) },
  { id: "out", label: "Out", title: "Tokens written", usual: true, numeric: true, sort: "generated", cell: (row) => tokens(row.tokens?.output_tokens) },
  { id: "ttft", label: "First token", usual: true, numeric: true, sort: "ttft", cell: time("ttft_ms") },
  { id: "speed", label: "Speed", usual: true, numeric: true, sort: "gen_speed", cell: (row) => speed(row.tokens?.tokens_per_second) },
  { id: "duration", label: "Duration", usual: true, first: true, numeric: true, sort: "duration", cell: (row) => milliseconds(row.duration_ms) },
  { id: "status", label: "Status", usual: true, first: true, sort: "resp_status_code", cell: (row) => statusBadge(row.resp_status_code) },
  { id: "cost", label: "Cost", numeric: true, sort: "cost", cell: (row) => usd(row.metadata?.cost_usd) },
  { id: "prefill", label: "Prefill speed", numeric: true, sort: "prompt_speed", cell: (row) => speed(row.tokens?.prompt_per_second) },
  { id: "queue", label: "Queued", numeric: true, cell: time("queue_ms") },
  { id: "load", label: "Loading", numeric: true, cell: time("load_ms") },
  { id: "context", label: "Prompt", cell: of("context") },
  { id: "path", label: "Path", sort: "req_path", cell: (row) => row.req_path },
  { id: "backend", label: "Backend", cell: of("backend") },
  { id: "error", label: "Error", cell: (row) => row.error_msg || "–" },
];

/** A status: its number and, by colour and word, whether it went well. */
export function statusBadge(status) {
  const good = status < 400;
  const said = good ? String(status) : `${status} ${status === 499 ? "left" : "error"}`;
  return h("span", { class: ["badge", good ? "good" : "bad"] }, said);
}

/** What is sorted by under the name `sort` in the address, as a column's id; none if it is none. */
export function sortedColumn(sort) {
  return COLUMNS.find((column) => column.sort === sort)?.id ?? null;
}

/** The daemon's name of what column `id` is sorted by. */
export function sortOf(id) {
  return COLUMNS.find((column) => column.id === id)?.sort ?? "time";
}

/** The columns to show for `rows`. `opens(row)` is the address that shows a request. */
export function shownColumns(rows, opens) {
  const chosen = chosenIds(rows);
  return COLUMNS.filter(({ id, always }) => always || chosen.includes(id)).map((column) =>
    column.id === "time" ? { ...column, cell: (row, td) => opener(row, td, opens) } : column,
  );
}

/** What lets one choose, for the `rows()` that are there; `changed()` is called after that. */
export function columnChooser(rows, changed, signal) {
  const boxes = COLUMNS.filter(({ always }) => !always).map((column) => {
    const box = h("input", { type: "checkbox", name: column.id, onchange: keep });
    return [column.id, box, h("label", {}, box, column.title ? `${column.label} (${column.title})` : column.label)];
  });
  const reset = h("button", { type: "button", onclick: forget }, "As usual");
  const element = h(
    "details",
    { class: "popover" },
    h("summary", { class: "button", onclick: tick }, "Columns"),
    h("div", { class: "popover-body" }, boxes.map(([, , label]) => label), reset),
  );
  tick();
  NARROW.addEventListener("change", narrowed, { signal });
  document.addEventListener(
    "click",
    (event) => {
      if (!element.contains(event.target)) element.open = false;
    },
    { signal },
  );
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    element.open = false;
    element.querySelector("summary").focus();
  });
  return element;

  function tick() {
    const chosen = chosenIds(rows());
    for (const [id, box] of boxes) box.checked = chosen.includes(id);
  }
  function keep() {
    const chosen = boxes.filter(([, box]) => box.checked).map(([id]) => id);
    localStorage.setItem(KEPT, JSON.stringify(chosen));
    changed();
  }
  function forget() {
    localStorage.removeItem(KEPT);
    narrowed();
  }
  function narrowed() {
    tick();
    changed();
  }
}

function chosenIds(rows) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    if (Array.isArray(kept)) return kept;
  } catch {
    // Whatever stands there, it is no choice.
  }
  const usual = COLUMNS.filter((column) => (NARROW.matches ? column.first : column.usual));
  const filled = usual.filter(({ ifAny }) => !ifAny || rows.some(ifAny));
  return filled.map(({ id }) => id);
}

function opener(row, td, opens) {
  const link = td.firstChild ?? td.appendChild(h("a", {}));
  link.textContent = moment(row.timestamp);
  link.setAttribute("href", opens(row));
  link.dataset.request = row.id;
}

/** A tier is served by the model of its name; what has no tier, or another model, says so. */
function whoAnswers(row) {
  const tier = row.metadata?.tier;
  return !tier || tier === row.model ? row.model : `${tier}: ${row.model}`;
}

function tokens(value) {
  return value < 0 ? "–" : count(value);
}
