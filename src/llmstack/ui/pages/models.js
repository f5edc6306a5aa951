// Every model: what it does, and what can be done with it.

import { fill, h, say, set } from "../lib/dom.js";
import { bytes, count } from "../lib/format.js";
import * as live from "../lib/live.js";
import { remember } from "../lib/router.js";
import { table } from "../lib/table.js";
import { actions } from "./models-actions.js";
import { openDetails } from "./models-details.js";
import { onLoads, unloadAll } from "./models-loads.js";
import { isLocal, models } from "./models-rows.js";
import { badge, failureOf, memory, names, progress, stateOf, ttl } from "./models-words.js";

export const title = "Models";

const STATES = ["ready", "starting", "stopping", "stopped", ""];

export async function show(main, { signal, query }) {
  const known = models(signal, render);
  const filter = h("input", { type: "search", value: query.get("filter"), oninput: filtered, spellcheck: "false" });
  const all = h("button", { type: "button", onclick: unloadAll }, "Unload all");
  const told = h("p", { class: "quiet", role: "status" });
  const news = h("p", { class: "unseen", role: "status" });
  const list = table({
    label: "Models",
    key: (row) => row.id,
    columns: [
      { id: "name", label: "Name", cell: nameCell, sort: (row) => row.id },
      { id: "state", label: "State", cell: stateCell, sort: (row) => STATES.indexOf(stateOf(row)) },
      { id: "context", label: "Context", cell: contextCell, numeric: true },
      { id: "ttl", label: "Ends in", cell: (row) => ttl(row), numeric: true },
      { id: "memory", label: "Memory", cell: memoryCell, numeric: true, sort: (row) => memory(row) ?? 0 },
      { id: "requests", label: "Requests", cell: requestsCell, numeric: true },
      { id: "actions", label: "Actions", cell: actionsCell },
    ],
    empty: "No models.",
  });
  list.element.classList.add("models-list");
  // For the mouse; keys have the name, which is a button.
  list.element.addEventListener("click", ({ target }) => {
    const line = target.closest("tbody tr");
    if (line && !target.closest("button") && getSelection().isCollapsed) details(line.row.id);
  });

  main.append(
    h(
      "div",
      { class: "row ends spread models-tools" },
      h("label", { class: "field" }, h("span", { class: "label" }, "Show only names with"), filter),
      all,
    ),
    told,
    news,
    list.element,
  );
  onLoads(render, signal);
  live.on("progress", ({ model, what }) => say(news, `${model}: ${what}`), signal);
  const ticking = setInterval(render, 1000);
  signal.addEventListener("abort", () => clearInterval(ticking));
  render();
  await known.refresh();
  if (!query.get("model")) return;
  while (live.state.models.length === 0) await next("models", signal);
  details(query.get("model"));

  function render() {
    const rows = known.all();
    const wanted = filter.value.trim().toLowerCase();
    const shown = rows.filter((row) => !wanted || names(row).some((name) => name.toLowerCase().includes(wanted)));
    list.show(shown);
    say(told, wanted ? `${shown.length} of ${rows.length} models.` : "");
    const loaded = rows.some((row) => isLocal(row) && row.state && row.state !== "stopped");
    set(all, "disabled", !loaded);
  }

  function filtered() {
    address();
    render();
  }

  function address(model = "") {
    remember({ filter: filter.value, model });
  }

  function details(id) {
    address(id);
    openDetails(id, known, signal, () => {
      if (!signal.aborted) address();
    });
  }

  function nameCell(row, td) {
    if (!td.button) {
      const open = () => details(td.row.id);
      td.button = h("button", { type: "button", class: "models-open", "aria-haspopup": "dialog", onclick: open });
      td.more = h("div", { class: "quiet" });
      fill(td, td.button, td.more);
    }
    td.row = row;
    say(td.button, row.id);
    const more = [row.name, row.description, aliases(row)].filter((text) => text && text !== row.id);
    say(td.more, [...new Set(more)].join(" · "));
  }
}

/** The next event of `kind`; never, once the page is left. */
function next(kind, signal) {
  return new Promise((resolve) => live.on(kind, resolve, signal));
}

function stateCell(row, td) {
  if (!td.badge) {
    td.badge = h("span");
    td.more = h("span", { class: "quiet" });
    td.why = h("div", { class: "error models-why" });
    fill(td, td.badge, " ", td.more, td.why);
  }
  const { text, kind } = badge(row);
  set(td.badge, "class", ["badge", kind]);
  say(td.badge, text);
  say(td.more, progress(row));
  const [why] = failureOf(row).split("\n");
  td.why.hidden = !why;
  say(td.why, why);
}

function contextCell(row, td) {
  const about = row.context;
  if (!about) return count(row.context_length || row.ctxReference || null);
  const now = about.served ?? about.effective;
  const more = about.override ? `set; configured ${count(about.configured)}` : "";
  if (!td.more) fill(td, (td.size = h("span")), (td.more = h("div", { class: "quiet" })));
  say(td.size, count(now || null));
  say(td.more, more);
  return undefined;
}

function memoryCell(row) {
  if (row.memory) return bytes(row.memory);
  return row.footprint?.size ? `≈ ${bytes(row.footprint.size)}` : "–";
}

function requestsCell(row) {
  if (!isLocal(row)) return "–";
  const waiting = row.waiting > 0 ? ` + ${row.waiting} waiting` : "";
  return `${row.in_flight ?? 0}${waiting}`;
}

function aliases(row) {
  return row.aliases?.length ? `also ${row.aliases.join(", ")}` : "";
}

function actionsCell(row, td) {
  if (!td.actions) fill(td, (td.actions = actions(row)).element);
  td.actions.update(row);
}
