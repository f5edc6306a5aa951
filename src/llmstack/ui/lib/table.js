// A table whose rows live: they are changed in place, so that focus and selection survive.

import { fill, h, keyed, say, set } from "./dom.js";

/**
 * A table in a region that scrolls by itself.
 *
 * `columns`: `{id, label, cell(row, td), numeric, sort}`. `cell` returns a text (or number), or
 * changes the `td` itself and returns nothing. `sort` is what to sort by, a text or a number of a
 * row; with `onSort` the rows come sorted from elsewhere and `sort` only has to be true.
 * `key(row)` names a row. `open(row)`, if given, is what a click or Enter on a row does.
 *
 * Returns `{element, show(rows), sorted}`; `sorted` is `{by, descending}`.
 */
export function table({ label, columns, key, open, onSort, empty = "Nothing yet.", sorted }) {
  const state = { by: sorted?.by ?? null, descending: sorted?.descending ?? false };
  let rows = [];
  const heads = columns.map((column) => head(column));
  const body = h("tbody");
  const none = h("p", { class: "quiet", hidden: true }, empty);
  const element = h(
    "div",
    { class: "scrolls", role: "region", "aria-label": label, tabindex: 0 },
    h("table", {}, h("caption", { class: "unseen" }, label), h("thead", {}, h("tr", {}, heads)), body),
    none,
  );

  function head(column) {
    const attributes = { scope: "col", class: column.numeric && "number" };
    if (!column.sort) return h("th", attributes, column.label);
    const button = h("button", { type: "button", class: "sort", onclick: () => sortBy(column) }, column.label);
    return h("th", { ...attributes, "aria-sort": "none" }, button);
  }

  function sortBy(column) {
    state.descending = state.by === column.id ? !state.descending : Boolean(column.numeric);
    state.by = column.id;
    if (onSort) onSort(state);
    show(rows);
  }

  function arranged() {
    const column = columns.find(({ id }) => id === state.by);
    if (!column || onSort || typeof column.sort !== "function") return rows;
    const way = state.descending ? -1 : 1;
    return [...rows].sort((one, other) => way * compare(column.sort(one), column.sort(other)));
  }

  function create(row) {
    const line = h("tr", {}, columns.map((column) => h("td", { class: column.numeric && "number" })));
    if (open) {
      line.classList.add("opens");
      line.tabIndex = 0;
      line.addEventListener("click", (event) => {
        if (!event.target.closest("button, a, input, select, label")) open(line.row);
      });
      line.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && event.target === line) open(line.row);
      });
    }
    line.row = row;
    return line;
  }

  function update(line, row) {
    line.row = row;
    columns.forEach((column, number) => {
      const td = line.children[number];
      const told = column.cell(row, td);
      if (told instanceof Node) fill(td, told);
      else if (told !== undefined) say(td, told);
    });
  }

  function show(now) {
    rows = now;
    columns.forEach((column, number) => {
      if (!column.sort) return;
      const way = state.by !== column.id ? "none" : state.descending ? "descending" : "ascending";
      set(heads[number], "aria-sort", way);
    });
    keyed(body, arranged(), key, create, update);
    none.hidden = rows.length > 0;
  }

  return { element, show, sorted: state };
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one ?? "").localeCompare(String(other ?? ""), undefined, { numeric: true });
}
