// What hosted models may cost, and what they have cost.

import { h, keyed, say, set } from "../lib/dom.js";
import { percent, usd } from "../lib/format.js";

/** `{element, show(overview)}`; not shown where no budget is set. */
export function budgets() {
  const list = h("div", { class: "budgets" });
  const element = h("section", { class: "card", hidden: true }, h("h2", {}, "Budgets"), list);
  function show({ budgets: told }) {
    element.hidden = !told.length;
    keyed(list, told, ({ tier, period }) => `${period} ${tier}`, budget, update);
  }
  return { element, show };
}

function budget() {
  return h(
    "div",
    {},
    h("div", { class: "row spread" }, h("span"), h("span", { class: "quiet" })),
    h("div", { class: "bar", role: "img" }, h("span")),
  );
}

function update(element, { tier, period, spent_usd: spent, budget_usd: limit }) {
  const [head, bar] = element.children;
  const share = limit > 0 ? spent / limit : 1;
  const left = share >= 1 ? "used up" : percent(share);
  const name = `${tier}, ${period === "day" ? "today" : "this month"}`;
  say(head.firstChild, name);
  say(head.lastChild, `${usd(spent)} of ${usd(limit)} · ${left}`);
  set(bar, "aria-label", `${name}: ${left}`);
  set(bar.firstChild, "class", share >= 1 ? "over" : share >= 0.8 ? "near" : "series-1");
  set(bar.firstChild, "style", { width: `${(100 * Math.min(1, share)).toFixed(2)}%` });
}
