// The requests that have ended: filtered, sorted and in pages by the daemon.

import { get } from "../lib/api.js";
import { fill, h, say } from "../lib/dom.js";
import { count } from "../lib/format.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";
import { table } from "../lib/table.js";
import { columnChooser, shownColumns, sortedColumn, sortOf } from "./activity-columns.js";
import { filters } from "./activity-filters.js";
import { filterOf, isFiltered, pageOf, showsNewest, SIZES, sortedOf, toAddress } from "./activity-query.js";

const ROWS = "/api/metrics/activity";
/** Milliseconds between two looks at what is new. */
const EVERY = 300;

/**
 * The section for `view`, which it changes; `keep()` is called after that, `open(id)` to show one
 * request. Returns `{element, load}`.
 */
export function finishedRequests(view, { signal, keep, open }) {
  let rows = null;
  /** The rows and the columns that are there. */
  let shown = [];
  let built = "";
  let asked = new AbortController();
  let waiting = 0;
  /** The first request that has ended since the list was asked for. */
  let firstNew = null;

  const heading = h("h2", { id: "activity-past" }, "Finished");
  const form = filters(view, (values) => turn({ ...values, page: 1 }));
  const fresh = h("button", { type: "button", class: "primary", hidden: true, onclick: showNewest });
  const problem = h("p", { class: "error", role: "alert", hidden: true });
  const place = h("div", { class: "list" });
  const pager = pages(view, turn);
  const exports = ["csv", "json"].map((format) =>
    h("a", { class: "button", download: true, onclick: (event) => aim(event.currentTarget, format) }, `Export ${format.toUpperCase()}`),
  );
  place.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const line = event.target.closest("tbody tr");
    if (!line || getSelection()?.toString()) return;
    event.preventDefault();
    open(line.row.id);
  });
  const element = h(
    "section",
    { class: "card past", "aria-labelledby": "activity-past" },
    h("div", { class: "row spread" }, heading, h("div", { class: "row" }, fresh, columnChooser(() => shown, build, signal), exports)),
    form.element,
    problem,
    place,
    pager.element,
  );

  build();
  live.on("activity", ended, signal);
  live.on("renewed", () => load().catch(complain), signal);
  live.on("models", (models) => form.suggest("model", models.map(({ id }) => id)), signal);
  form.suggest("model", live.state.models.map(({ id }) => id));
  return { element, load };

  function build() {
    const columns = columnsFor(shown);
    rows = table({
      label: "Finished requests",
      columns,
      key: (row) => String(row.id),
      empty: "No such request.",
      onSort: ({ by, descending }) => turn({ sort: sortOf(by), order: descending ? "desc" : "asc", page: 1 }),
      sorted: { by: sortedColumn(view.sort), descending: view.order === "desc" },
    });
    built = namesOf(columns);
    fill(place, rows.element);
    rows.show(shown);
  }

  function columnsFor(list) {
    return shownColumns(list, (row) => addressOf({ ...view, id: row.id }));
  }

  /** Show something else of the list. */
  function turn(change) {
    Object.assign(view, change);
    keep();
    load().catch(complain);
  }

  async function load() {
    asked.abort();
    const here = (asked = new AbortController());
    clearTimeout(waiting);
    waiting = 0;
    firstNew = null;
    fresh.hidden = true;
    for (const [place, format] of ["csv", "json"].entries()) aim(exports[place], format);
    try {
      const page = await get(`${ROWS}?${pageOf(view)}`, { signal: AbortSignal.any([signal, here.signal]) });
      if (page.data.length === 0 && page.total > 0 && view.page > 1) {
        turn({ page: page.total_pages }); // rows have gone, or the address says too much
        return;
      }
      problem.hidden = true;
      showPage(page);
    } catch (error) {
      if (error.name === "AbortError") return;
      say(problem, error.message);
      problem.hidden = false;
    }
  }

  function showPage(page) {
    shown = page.data;
    if (namesOf(columnsFor(shown)) === built) rows.show(shown);
    else build();
    pager.show(page);
    say(heading, `Finished (${count(page.total)}${isFiltered(view) ? " found" : ""})`);
    for (const name of ["client", "session", "tier"]) {
      form.suggest(name, page.data.map((row) => row.metadata?.[name]));
    }
    form.suggest("model", page.data.map((row) => row.model));
  }

  /** A request has ended: show it, or say that there are new ones. */
  function ended({ id }) {
    firstNew = Math.min(firstNew ?? id, id);
    waiting ||= setTimeout(look, EVERY);
  }

  async function look() {
    waiting = 0;
    if (showsNewest(view)) {
      await load().catch(complain);
      return;
    }
    const query = filterOf(view);
    query.set("min_id", firstNew);
    query.set("limit", 1);
    try {
      const { total } = await get(`${ROWS}?${query}`, { signal });
      if (waiting || firstNew === null) return; // something else is shown by now
      say(fresh, `${count(total)} new`);
      fresh.hidden = total === 0;
    } catch (error) {
      complain(error);
    }
  }

  function showNewest() {
    turn({ sort: "time", order: "desc", page: 1 });
    build();
    place.querySelector("[tabindex]")?.focus();
  }

  function aim(link, format) {
    const query = sortedOf(view);
    query.set("format", format);
    link.setAttribute("href", `${ROWS}/export?${query}`);
  }
}

const namesOf = (columns) => columns.map(({ id }) => id).join();

/** The address that shows the same. */
function addressOf(view) {
  return `/ui/activity?${new URLSearchParams(toAddress(view))}`;
}

function pages(view, turn) {
  const size = h("select", { onchange: () => turn({ limit: Number(size.value), page: 1 }) });
  const said = h("span", { role: "status" });
  const step = (label, to) => h("button", { type: "button", "aria-label": label, onclick: () => turn({ page: to() }) });
  let last = 1;
  const [first, before, after, end] = [
    step("First page", () => 1),
    step("Page before", () => view.page - 1),
    step("Next page", () => view.page + 1),
    step("Last page", () => last),
  ];
  [first, before, after, end].forEach((button, place) => say(button, ["«", "‹", "›", "»"][place]));
  const element = h(
    "nav",
    { class: "row spread pager", "aria-label": "Pages of the list", hidden: true },
    h("div", { class: "row" }, first, before, said, after, end),
    h("label", { class: "row" }, "Rows of a page", size),
  );
  return { element, show };

  function show({ page, total_pages: all, limit }) {
    last = Math.max(all, 1);
    element.hidden = false;
    say(said, `Page ${count(page)} of ${count(last)}`);
    first.disabled = before.disabled = page <= 1;
    after.disabled = end.disabled = page >= last;
    const sizes = [...new Set([...SIZES, limit])].sort((one, other) => one - other);
    fill(size, sizes.map((one) => h("option", { value: one, selected: one === limit }, one)));
  }
}
