// Every rule that was tried for a decision, and what switching would have cost.

import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";

/** What a role is, for headings and tables. */
export const ROLES = {
  ultra: "best",
  agent: "agent",
  fast: "fast",
  plan: "planning",
  uncensored: "uncensored",
};

/** The tier that was chosen, with the daemon's own short reason. */
export function verdict({ model, reason }) {
  return h("p", { class: "verdict" }, h("span", { class: "chosen" }, model), h("span", { class: "quiet" }, reason));
}

/** The list of rules with their outcomes, and the prices. `decision` is what `/api/route` answers. */
export function tracePart(decision) {
  const prices = decision.prices ?? [];
  const tried = withoutPrices(decision.tried ?? [], prices).map(rule);
  return [
    facts(decision),
    h("ol", { class: "trace", "aria-label": "Rules that were tried" }, tried),
    prices.length > 0 && priceTable(prices),
  ];
}

function facts({ tokens, kind, mode, session, subagent, role }) {
  const told = [
    ["Prompt", `about ${count(tokens)} tokens`],
    ["Kind of request", kind],
    role && ["Role", ROLES[role] ?? role],
    mode && ["Mode of the client", mode],
    session && ["Session", subagent ? `${session}, a sub-agent` : session],
  ];
  return h(
    "dl",
    { class: "facts about" },
    told.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** The daemon says its prices among the rules too, as the last ones. */
function withoutPrices(tried, prices) {
  const said = prices.map(({ stay, target }) => `${stay} -> ${target}: `);
  return tried.filter((text) => !said.some((start) => text.startsWith(start)));
}

/** One rule: its name, and its outcome with a mark. */
function rule(text) {
  const [name, outcome] = parted(text);
  const kind = kindOf(outcome);
  return h(
    "li",
    { class: kind },
    h("span", { class: "mark", "aria-hidden": "true" }, { yes: "✓", no: "–", missed: "✗" }[kind]),
    h("span", {}, name, outcome && [": ", h("strong", {}, outcome)]),
  );
}

function parted(text) {
  const at = text.indexOf(": ");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 2)];
}

function kindOf(outcome) {
  if (!outcome || /^yes\b|\bfits$/.test(outcome)) return "yes";
  return /^no$|^no,/.test(outcome) ? "no" : "missed";
}

function priceTable(prices) {
  const lines = prices.map(({ stay, target, seconds, worth }) =>
    h(
      "tr",
      {},
      h("td", {}, `${stay} → ${target}`),
      h("td", { class: "number" }, `${count(seconds)} s`),
      h("td", { class: "number" }, `${count(worth)} s`),
      h("td", {}, seconds > worth ? "too dear: stay" : "worth it"),
    ),
  );
  return h(
    "div",
    { class: "scrolls", role: "region", "aria-label": "Prices of switching", tabindex: 0 },
    h(
      "table",
      { class: "prices" },
      h("caption", {}, "What switching models would cost"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Switch"), h("th", { scope: "col", class: "number" }, "Costs"), h("th", { scope: "col", class: "number" }, "May cost"), h("th", { scope: "col" }, "So"))),
      h("tbody", {}, lines),
    ),
  );
}
