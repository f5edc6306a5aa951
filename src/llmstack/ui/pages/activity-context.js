// What became of a prompt on its way into the model's window.

import { h, svg } from "../lib/dom.js";
import { drawing, widthOf } from "../lib/drawing.js";
import { count, percent } from "../lib/format.js";

/** What each step down frees, as a sentence. */
const STEPS = {
  collapsed: (number) => `${number} repeated texts were collapsed`,
  cleared: (number) => `${number} old results of tools were cleared`,
  referred: (number) => `${number} texts that stand twice were referred to`,
  summarised: (number) => `${number} parts of the conversation were summarised`,
  dropped: (number) => `${number} old parts of the conversation were dropped`,
  cut: (number) => `${number} long texts were cut`,
};
const POLICIES = {
  off: "The policy is off: prompts are sent as they are.",
  limit_only: "The policy shortens a prompt only when it does not fit.",
  always: "The policy removes repetition always, and shortens what does not fit.",
  llm_assisted: "The policy shortens what does not fit, with summaries that a model writes.",
};

/** `report` is the daemon's, null where nothing had to be looked at; `metadata` is the row's. */
export function contextPart(report, metadata, signal) {
  const steadied = metadata?.steadied;
  const more = steadied && h("p", { class: "quiet" }, `Made steady, so that caches hold: ${steadied}.`);
  if (!report) {
    const said = metadata?.context;
    const kept = said ? `Shortened: ${said}.` : "Kept: it was sent as it came.";
    return [h("p", {}, kept), more];
  }
  const drawn = report.sent > 0 && drawing((width) => draw(report, width), signal).element;
  return [
    h("p", {}, fate(report)),
    report.applied && report.hit && h("p", {}, "It is shortened as it was before, so that what the server has cached of it still counts."),
    report.actions?.length > 0 && h("ul", {}, report.actions.map(step)),
    report.summary && h("p", {}, report.summary === "failed" ? "The summary could not be written." : "A summary was written."),
    report.clamped !== null && h("p", {}, `The answer was limited to ${count(report.clamped)} tokens.`),
    drawn,
    h("p", { class: "quiet" }, POLICIES[report.policy] ?? report.policy),
    more,
  ];
}

function fate({ applied, original, sent, exact, window, room }) {
  const about = exact ? "" : "about ";
  const size = window?.tokens ? ` of a window of ${count(window.tokens)}` : "";
  if (!sent) return `It did not fit: ${about}${count(original)} tokens${size}.`;
  const output = room ? ` ${count(room.output)} were left for the answer.` : "";
  if (!applied) return `Kept: ${about}${count(sent)} tokens${size}.${output}`;
  return `Shortened from ${count(original)} to ${about}${count(sent)} tokens${size}.${output}`;
}

function step({ rung, count: number, freed }) {
  const said = STEPS[rung]?.(count(number)) ?? `${rung}: ${number}`;
  return h("li", {}, `${said}: ${count(freed)} tokens less.`);
}

/** Two bars on one axis: what came and what was sent, and the window's edge. */
function draw({ original, sent, window, applied }, width) {
  const most = Math.max(original, sent, window?.tokens ?? 0, 1);
  const x = (tokens) => ((width - 2) * tokens) / most;
  const bars = applied
    ? [
        ["Came", original, "series-4"],
        ["Sent", sent, "series-1"],
      ]
    : [["Sent", sent, "series-1"]];
  const height = bars.length * 40 + 22;
  const edge = window?.tokens ? x(window.tokens) : null;
  const told = bars.map(([name, tokens], number) => [
    svg("text", { class: "name", x: 0, y: number * 40 + 13 }, `${name}: ${count(tokens)} tokens`),
    svg("rect", { class: bars[number][2], x: 0, y: number * 40 + 19, width: Math.max(x(tokens), 2), height: 14, rx: 3 }),
  ]);
  const text = edge === null ? "" : `window ${count(window.tokens)}, ${percent(sent / window.tokens)} used`;
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    told,
    edge !== null && svg("line", { class: "limit", x1: edge, x2: edge, y1: 0, y2: height - 18 }),
    edge !== null &&
      svg("text", { class: "axis", x: Math.max(edge, widthOf(text)), y: height - 4, "text-anchor": "end" }, text),
  );
}
