// The numbers at the top: what happens now, and what this day has cost in time and money.

import { h, say } from "../lib/dom.js";
import { count, seconds, short, usd } from "../lib/format.js";

const SPENT = "Spent today";

/** Of each number: its name, what is said of it, and what is said below. */
const TILES = [
  ["Tokens per second", ({ tokens_per_second: now }) => (now >= 100 ? short(now) : now.toFixed(1)), pace],
  ["Queue", ({ queue }) => count(queue.waiting), queued],
  ["Requests today", ({ today }) => count(today.requests), failed],
  ["Tokens today", ({ today }) => short(today.output_tokens), read],
  ["Lost today", ({ today }) => roughly(today.swap_s + today.reprefill_s), lost],
  [SPENT, ({ today }) => usd(today.cost_usd), budget],
];

/** `{element, show(overview)}`. */
export function tiles() {
  const made = TILES.map(([name, value, more]) => {
    const big = h("span", { class: "tile-value" });
    const small = h("span", { class: "tile-more quiet" });
    const element = h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, big, small));
    return { name, value, more, big, small, element };
  });
  const element = h("dl", { class: "tiles" }, made.map((tile) => tile.element));
  function show(overview) {
    for (const { name, value, more, big, small, element: tile } of made) {
      say(big, value(overview));
      say(small, more(overview));
      if (name === SPENT) tile.hidden = overview.today.cost_usd === null && !overview.budgets.length;
    }
  }
  return { element, show };
}

function pace({ models }) {
  const busy = models.filter(({ tokens_per_second: now }) => now > 0);
  if (!busy.length) return "nothing is being written";
  return busy.length === 1 ? `by ${busy[0].name || busy[0].id}` : `by ${busy.length} models`;
}

function queued({ queue }) {
  const loading = queue.loading.length > 0 && `loading ${queue.loading.join(", ")}`;
  return ["waiting", `${count(queue.in_flight)} being answered`, loading].filter(Boolean).join(" · ");
}

function failed({ today }) {
  if (!today.requests) return "none yet";
  return today.errors ? `${count(today.errors)} failed` : "none failed";
}

function read({ today }) {
  const told = `written · ${short(today.input_tokens)} read`;
  return today.cached_tokens ? `${told} · ${short(today.cached_tokens)} from the cache` : told;
}

/** Seconds, so short that they are read at a glance; the exact ones stand below. */
function roughly(value) {
  if (value < 100) return value < 60 ? seconds(value) : `${Math.round(value)} s`;
  return value < 6000 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
}

/** What swaps took, and what reading prompts took that a cache had held before. */
function lost({ today }) {
  const { swaps, swap_s: swapping, reprefill_s: reading, reprefill_tokens: tokens } = today;
  if (!swaps && !tokens) return "no swap, no re-prefill";
  const many = swaps === 1 ? "1 swap" : `${count(swaps)} swaps`;
  return `${seconds(swapping)} in ${many} · ${seconds(reading)} in re-prefill`;
}

function budget({ budgets, today }) {
  if (budgets.length) return budgets.length === 1 ? "1 budget is set" : `${budgets.length} budgets are set`;
  return today.cost_usd === null ? "" : "no budget is set";
}
