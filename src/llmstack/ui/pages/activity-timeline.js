// Where the time of one request went, drawn.

import { h, svg } from "../lib/dom.js";
import { drawing, ticks, widthOf } from "../lib/drawing.js";
import { count, milliseconds, percent, speed } from "../lib/format.js";

const PHASES = {
  queued: ["Queued", "series-4"],
  loading: ["Loading", "series-2"],
  prefill: ["Prefill", "series-3"],
  generating: ["Generating", "series-1"],
};
const ROW = 34;
const BAR = 18;
/** Pixels for the names beside the bars; narrower drawings have them above. */
const NAMES = 200;
const NARROW = 480;

const ONE_PIECE = " The answer came in one piece: prefill and generating are told apart by the model's own speed.";

/** A phase in a word. */
export const phaseName = (phase) => PHASES[phase]?.[0] ?? String(phase);
/** The class that colours a phase. */
export const phaseClass = (phase) => PHASES[phase]?.[1] ?? "series-5";

/** The figure for a request: `timeline` as the daemon tells it, `row` for what was done in it. */
export function timelineFigure(timeline, row, signal) {
  const [phases, split] = apart(complete(timeline), row);
  const total = Math.max(row.duration_ms, ...phases.map(({ start_ms, ms }) => start_ms + ms), 1);
  const told = phases.map((phase) => ({ ...phase, what: work(phase, row) }));
  const drawn = drawing((width) => draw(told, total, width), signal);
  return h(
    "figure",
    { class: "timeline" },
    h("div", { role: "img", "aria-label": inWords(told, row.duration_ms) }, drawn.element),
    h("figcaption", { class: "quiet" }, `${milliseconds(row.duration_ms)} in all.`, split && ONE_PIECE),
  );
}

/** All four phases, those that did not happen with 0 ms, and others that the daemon may know. */
function complete(timeline) {
  const found = new Map(timeline.map((phase) => [phase.phase, phase]));
  let start = 0;
  const usual = Object.keys(PHASES).map((phase) => {
    const one = found.get(phase) ?? { phase, start_ms: start, ms: 0 };
    found.delete(phase);
    start = one.start_ms + one.ms;
    return one;
  });
  return [...usual, ...found.values()];
}

/**
 * An answer in one piece does not show when its first token was there; the model's speed does.
 * Returns the phases, and whether that was needed.
 */
function apart(phases, row) {
  const [prefill, generating] = ["prefill", "generating"].map((name) => phases.find(({ phase }) => phase === name));
  const { output_tokens: written, tokens_per_second: rate } = row.tokens ?? {};
  const streamed = (row.resp_content_type ?? "").startsWith("text/event-stream");
  if (streamed || !(written > 0 && rate > 0)) return [phases, false];
  const ms = Math.min(Math.round((1000 * written) / rate), prefill.ms);
  const changed = new Map([
    [prefill, { ...prefill, ms: prefill.ms - ms }],
    [generating, { ...generating, start_ms: prefill.start_ms + prefill.ms - ms, ms: generating.ms + ms }],
  ]);
  return [phases.map((phase) => changed.get(phase) ?? phase), true];
}

/** What was done in a phase. */
function work({ phase, ms }, row) {
  const { input_tokens: read, cache_tokens: cached, output_tokens: written } = row.tokens ?? {};
  const { prompt_per_second: prefill, tokens_per_second: generation } = row.tokens ?? {};
  const at = (rate) => (rate > 0 ? ` at ${speed(rate)}` : "");
  if (phase === "queued") return ms > 0 ? "waited for its turn" : "did not wait";
  if (phase === "loading") return ms > 0 ? `waited for ${row.model} to load` : "was loaded";
  if (phase === "prefill" && read > 0) {
    const known = cached > 0 ? `, ${count(cached)} cached` : "";
    return `${count(read)} prompt token${read === 1 ? "" : "s"}${at(prefill)}${known}`;
  }
  if (phase === "generating" && written > 0) return `${count(written)} token${written === 1 ? "" : "s"}${at(generation)}`;
  return "";
}

function inWords(phases, duration) {
  const parts = phases.map(({ phase, ms, what }) => {
    const took = ms > 0 ? milliseconds(ms) : "none";
    return `${phaseName(phase)}: ${took}${what ? ` (${what})` : ""}`;
  });
  return `Timeline of ${milliseconds(duration)}. ${parts.join("; ")}.`;
}

function draw(phases, total, width) {
  const narrow = width < NARROW;
  const left = narrow ? 0 : NAMES;
  const row = narrow ? ROW + 20 : ROW;
  const place = (ms) => left + ((width - left - 2) * ms) / total;
  const foot = phases.length * row + 4;
  const marks = ticks(total, narrow ? 3 : 6).map((ms) => mark(ms, place(ms), foot, width));
  const bars = phases.map((phase, number) => bar(phase, number * row, place, { width, narrow, total }));
  const size = { width, height: foot + 18, viewBox: `0 0 ${width} ${foot + 18}` };
  return svg("svg", { ...size, "aria-hidden": "true" }, marks, bars);
}

function mark(ms, x, foot, width) {
  const text = milliseconds(ms);
  const half = widthOf(text) / 2;
  const anchor = x + half > width ? "end" : x < half ? "start" : "middle";
  return [
    svg("line", { class: "grid", x1: x, x2: x, y1: 0, y2: foot }),
    svg("text", { class: "axis", x, y: foot + 14, "text-anchor": anchor }, ms === 0 ? "0" : text),
  ];
}

function bar({ phase, start_ms: start, ms, what }, top, place, { width, narrow, total }) {
  const y = top + (narrow ? 22 : (ROW - BAR) / 2);
  const [from, to] = [place(start), place(start + ms)];
  const wide = Math.max(to - from, ms > 0 ? 3 : 0);
  const x = Math.min(from, width - wide);
  const took = ms > 0 ? `${milliseconds(ms)}, ${percent(ms / total)}` : "–";
  const middle = top + (narrow ? 14 : ROW / 2 + 4);
  const names = [
    svg("text", { class: "name", x: 0, y: middle }, phaseName(phase)),
    svg("text", { class: "took", x: narrow ? width : NAMES - 12, y: middle, "text-anchor": "end" }, took),
  ];
  const rect = svg("rect", { class: phaseClass(phase), x, y, width: wide, height: BAR, rx: 3 });
  return [names, rect, narrow ? null : beside(what, [x, x + wide], y, width)];
}

/** What was done, where there is room: right of the bar, left of it, or in it. */
function beside(what, [from, to], y, width) {
  if (!what) return null;
  const long = widthOf(what) + 10;
  const line = y + BAR - 5;
  if (to + long < width) return svg("text", { class: "what", x: to + 8, y: line }, what);
  if (to - from > long) return svg("text", { class: "what inside", x: from + 8, y: line }, what);
  if (from - long > NAMES) {
    return svg("text", { class: "what", x: from - 8, y: line, "text-anchor": "end" }, what);
  }
  return null;
}
