// Why a tier answers, in plain words.

import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { ROLES } from "./routing-trace.js";

const KINDS = {
  turn: "This is a new turn of the user's.",
  continuation: "This continues a turn that has begun: results of tools, or the same request again.",
  "follow-up": "This is a terse follow-up to the turn before.",
  title: "The client asks for a title: side work, which any model can do.",
  summary: "The client asks for a short summary: side work, which any model can do.",
  compaction: "The client has its conversation compacted.",
  count: "The client only counts tokens.",
  probe: "The client only looks whether somebody answers.",
};

/** A paragraph for a decision; `ladder` is what `/api/ladder` answers, if that is known. */
export function inPlainWords(decision, ladder = null) {
  const told = [KINDS[decision.kind], ruleInWords(decision, ladder), ...pricesInWords(decision)];
  const who = decision.role ? `${decision.model} (${ROLES[decision.role] ?? decision.role})` : decision.model;
  return h("p", { class: "why" }, told.filter(Boolean).join(" "), " ", h("strong", {}, `So ${who} answers.`));
}

function ruleInWords({ rule, tokens, reason, role, mode, kind }, ladder) {
  const size = `The prompt has about ${count(tokens)} tokens`;
  if (rule === "trigger") {
    return `Its words ask for this: ${reason}. What is asked for in words is done, whatever it costs.`;
  }
  if (rule === "mode") return `The client's agent is in ${mode || "plan"} mode, which the planning tier answers.`;
  if (rule === "words") return "Its words ask for a plan and not for code, and it brings no tools.";
  if (rule === "size") return `${size}${comparedTo(tokens, reason, ladder)}.`;
  if (kind && kind !== "turn") return `${capital(reason)}.`;
  return role ? `${size}. ${capital(reason)}.` : `${capital(reason)}.`;
}

/** Where a size stands between the ceilings; without a ladder, what the rule says. */
function comparedTo(tokens, reason, ladder) {
  if (!ladder) return "";
  const { high, mid } = ladder;
  if (tokens <= high) return `, no more than ${count(high)}: small enough for the best tier there is`;
  if (tokens <= mid) return `, more than ${count(high)} and no more than ${count(mid)}: for the agent tier`;
  if (reason.includes("tools present")) return `, more than ${count(mid)}, and it brings tools: for the agent tier`;
  if (reason.includes("user turns")) return `, more than ${count(mid)}, after many turns: for the agent tier`;
  return `, more than ${count(mid)}, without tools and after few turns: for the fast tier`;
}

function pricesInWords({ prices = [], model }) {
  return prices
    .filter(({ stay, seconds, worth }) => (seconds > worth ? stay === model : stay !== model))
    .map(({ stay, target, seconds, worth }) =>
      seconds > worth
        ? `A switch from ${stay} to ${target} would cost about ${count(seconds)} s and is worth ${count(worth)} s: too dear.`
        : `A switch from ${stay} to ${target} costs about ${count(seconds)} s and is worth up to ${count(worth)} s.`,
    );
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
