// What every model has done since the daemon started, by the numbers of `/metrics`.

import { h } from "../lib/dom.js";
import { samples } from "../lib/exposition.js";
import { count, seconds, short, speed, usd } from "../lib/format.js";
import { table } from "../lib/table.js";

/** Columns: title, what to show, how. */
const COLUMNS = [
  ["requests", "Requests", count],
  ["failed", "Failed", count],
  ["input", "Tokens in", short],
  ["cached", "Cached", short],
  ["output", "Tokens out", short],
  ["reading", "Prefill", speed],
  ["writing", "Generation", speed],
  ["first", "First token", seconds],
  ["queued", "Queued", seconds],
  ["load", "Load", seconds],
  ["swaps", "Swaps", count],
  ["evictions", "Evictions", count],
  ["cost", "Cost", usd],
];

/** The section: `{element, show(text)}`, `text` being what `/metrics` answers. */
export function modelNumbers() {
  const rows = table({
    label: "Numbers of each model",
    columns: [
      { id: "model", label: "Model", cell: (row) => row.model, sort: (row) => row.model },
      ...COLUMNS.map(([id, label, format]) => ({
        id,
        label,
        numeric: true,
        cell: (row) => format(row[id]),
        sort: (row) => row[id] ?? -1,
      })),
    ],
    key: (row) => row.model,
    sorted: { by: "requests", descending: true },
    empty: "No model has been asked yet.",
  });
  const element = h(
    "section",
    { class: "card performance-models" },
    h("h2", {}, "Models"),
    h(
      "p",
      { class: "quiet" },
      "Since the daemon started; speeds and times are means. The same numbers, for Prometheus: ",
      h("a", { href: "/metrics", target: "_blank" }, "/metrics"),
    ),
    rows.element,
  );
  return { element, show: (text) => rows.show(numbers(text)) };
}

/** One row per model of what `/metrics` says. */
function numbers(text) {
  const models = new Map();
  for (const { name, labels, value } of samples(text)) {
    if (!name.startsWith("llmstack_model_") || labels.model === undefined) continue;
    if (!models.has(labels.model)) models.set(labels.model, new Map());
    const sums = models.get(labels.model);
    const key = name.slice("llmstack_model_".length);
    add(sums, key, value);
    if (key === "requests_total" && !labels.status?.startsWith("2")) add(sums, "failed", value);
  }
  return [...models]
    .map(([model, sums]) => row(model, sums))
    .filter((one) => one.requests || one.load !== null);
}

function row(model, sums) {
  const mean = (name) => {
    const many = sums.get(`${name}_count`);
    return many ? sums.get(`${name}_sum`) / many : null;
  };
  const total = (name) => sums.get(`${name}_total`) ?? 0;
  return {
    model,
    requests: total("requests"),
    failed: sums.get("failed") ?? 0,
    input: total("input_tokens"),
    cached: total("cached_tokens"),
    output: total("output_tokens"),
    reading: mean("prompt_tokens_per_second"),
    writing: mean("generation_tokens_per_second"),
    first: mean("time_to_first_token_seconds"),
    queued: mean("queue_seconds"),
    load: mean("load_seconds"),
    swaps: total("swaps"),
    evictions: total("evictions"),
    cost: sums.get("cost_usd_total") ?? null,
  };
}

function add(sums, key, value) {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
