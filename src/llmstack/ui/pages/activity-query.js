// What the list shows, as the address and the daemon say it.

/** Ranges of time that end now, in seconds. */
const SECONDS = { "15m": 900, "1h": 3600, "24h": 86_400, "7d": 604_800 };
/** What can be chosen as a range of time. `own` goes by `start` and `end`. */
export const RANGES = [
  ["", "Any time"],
  ["15m", "Last 15 minutes"],
  ["1h", "Last hour"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["own", "From … to …"],
];
/** Rows of a page. */
export const SIZES = [25, 50, 100, 250];
/** What is filtered by, beside time. */
export const FIELDS = ["model", "tier", "client", "session", "status", "search"];

const USUAL = { range: "", start: "", end: "", sort: "time", order: "desc", page: 1, limit: 25, id: "" };

/** What the address says; what is wrong in it counts as absent. */
export function fromAddress(query) {
  const view = { ...USUAL };
  for (const name of FIELDS) view[name] = query.get(name) ?? "";
  for (const name of ["sort", "start", "end"]) view[name] = query.get(name) ?? view[name];
  view.range = RANGES.some(([name]) => name === query.get("range")) ? query.get("range") : "";
  view.order = query.get("order") === "asc" ? "asc" : "desc";
  view.page = whole(query.get("page"), 1);
  view.limit = Math.min(whole(query.get("limit"), 25), 999);
  view.id = whole(query.get("id"), "");
  return view;
}

/** What the address is to say: whatever is not as usual. */
export function toAddress(view) {
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== USUAL[name]));
}

/** Parameters of the daemon's for the rows that are wanted, whatever page. */
export function filterOf(view, now = Date.now()) {
  const found = new URLSearchParams();
  for (const name of FIELDS) if (view[name]) found.set(name, view[name]);
  if (view.range === "own") {
    for (const name of ["start", "end"]) if (view[name]) found.set(name, view[name]);
  } else if (view.range) {
    found.set("start", new Date(now - SECONDS[view.range] * 1000).toISOString());
  }
  return found;
}

/** The same with the order. */
export function sortedOf(view) {
  const found = filterOf(view);
  // Numbers are given in the order of time, and looked up faster.
  found.set("sort", view.sort === "time" ? "id" : view.sort);
  found.set("order", view.order);
  return found;
}

/** The same with the page. */
export function pageOf(view) {
  const found = sortedOf(view);
  found.set("page", view.page);
  found.set("limit", view.limit);
  return found;
}

/** Whether something is filtered out. */
export function isFiltered(view) {
  return FIELDS.some((name) => view[name]) || Boolean(view.range);
}

/** Whether the newest request is the first row. */
export function showsNewest(view) {
  return view.sort === "time" && view.order === "desc" && view.page === 1;
}

function whole(text, otherwise) {
  return /^\d{1,15}$/.test(text ?? "") && Number(text) > 0 ? Number(text) : otherwise;
}
