// The ladder: every tier with its window, the ceilings between them, and the sessions of now.

import { fill, h, svg } from "../lib/dom.js";
import { drawing, widthOf } from "../lib/drawing.js";
import { count, seconds, short } from "../lib/format.js";
import { ROLES } from "./routing-trace.js";

const ORDER = ["ultra", "agent", "fast", "plan", "uncensored"];
const ROW = 46;
const BAR = 22;
const TOP = 56;
/** Pixels for the names beside the bars; narrower drawings have them above. */
const NAMES = 190;
const NARROW = 560;
/** Where the axis begins, in tokens. It is logarithmic: windows differ by powers. */
const LEAST = 10;
/** An axis that shows no window goes as far. */
const USUAL = 32_768;

/** The section. `show(ladder)` brings a new one, `place(decision)` marks a request, null for none. */
export function ladderPart(first, signal) {
  let ladder = first;
  let asked = null;
  const words = h("p", { class: "quiet" });
  const image = h("div", { role: "img" });
  const tables = h("div");
  const drawn = drawing((width) => draw(ladder, asked, width), signal);
  image.append(drawn.element);
  const element = h(
    "section",
    { class: "card ladder", "aria-labelledby": "routing-ladder" },
    h("h2", { id: "routing-ladder" }, "The ladder"),
    words,
    image,
    legend(),
    h("details", {}, h("summary", {}, "As tables"), tables),
  );
  renew();
  return {
    element,
    show(now) {
      ladder = now;
      renew();
    },
    place(decision) {
      asked = decision;
      renew();
    },
  };

  function renew() {
    fill(words, inWords(ladder));
    image.setAttribute("aria-label", described(ladder, asked));
    fill(tables, rungTable(ladder.rungs), sessionTable(ladder.sessions));
    drawn.redraw();
  }
}

function inWords({ rungs, high, mid, multi_turn: turns, sticky, switch_cost_limit: limit }) {
  if (rungs.length === 0) return "No tier of this stack plays a role: give one role = agent in models.ini.";
  const stays = sticky
    ? `A session stays where it is unless a switch is worth its seconds (${count(limit)} s for a step up).`
    : "Every request is looked at by itself: sticky is off.";
  return `Up to ${count(high)} tokens the best tier answers, up to ${count(mid)} the agent tier; above that the fast one, unless the request brings tools or has ${count(turns)} user turns. ${stays}`;
}

function described({ rungs, high, mid, sessions }, asked) {
  const tiers = rungs.map(({ tier, role, window }) => `${tier} (${ROLES[role] ?? role}) with ${windowOf(window)}`);
  const here = asked ? ` The request, about ${count(asked.tokens)} tokens, goes to ${asked.model}.` : "";
  return `The ladder: ${tiers.join(", ")}. Ceilings at ${count(high)} and ${count(mid)} tokens. ${count(sessions.length)} sessions.${here}`;
}

const windowOf = (window) => (window ? `a window of ${count(window)} tokens` : "a window that is not known");

function legend() {
  return h(
    "p",
    { class: "legend quiet" },
    h("span", {}, key("session"), "a session, at its size"),
    h("span", {}, key("asked"), "the request above"),
    h("span", {}, key("ceiling"), "a ceiling"),
  );
}

function key(kind) {
  const shape = {
    session: svg("circle", { class: "session", cx: 8, cy: 8, r: 5 }),
    asked: svg("path", { class: "asked", d: "M8 1 15 8 8 15 1 8Z" }),
    ceiling: svg("line", { class: "ceiling", x1: 8, x2: 8, y1: 0, y2: 16 }),
  }[kind];
  return svg("svg", { width: 16, height: 16, "aria-hidden": "true" }, shape);
}

/** Rows from the best tier down, and one for sessions of tiers that are no rungs. */
function rowsOf({ rungs, sessions }) {
  const place = ({ role }) => (ORDER.indexOf(role) + ORDER.length + 1) % (ORDER.length + 1);
  const rows = [...rungs].sort((one, other) => place(one) - place(other));
  const known = new Set(rows.map(({ tier }) => tier));
  const elsewhere = sessions.some(({ tier }) => !known.has(tier));
  return elsewhere ? [...rows, { role: "", tier: "other models", window: 0, available: true, other: true }] : rows;
}

function draw(ladder, asked, width) {
  const rows = rowsOf(ladder);
  const narrow = width < NARROW;
  const left = narrow ? 8 : NAMES;
  const high = narrow ? ROW + 18 : ROW;
  const foot = TOP + rows.length * high;
  const most = Math.max(
    ladder.high,
    ladder.mid,
    asked?.tokens ?? 0,
    ...ladder.rungs.map(({ window }) => window),
    ...ladder.sessions.map(({ tokens }) => tokens),
    USUAL,
  );
  const span = Math.log(most / LEAST);
  const x = (tokens) => left + ((width - left - 8) * Math.log(Math.max(tokens, LEAST) / LEAST)) / span;
  const box = { left, width, narrow, x, foot };
  const bars = rows.map((rung, number) => {
    const top = TOP + number * high;
    return bar(rung, top + (narrow ? 22 : (ROW - BAR) / 2), top, box);
  });
  const dots = rows.map((rung, number) => {
    const middle = TOP + number * high + (narrow ? 22 + BAR / 2 : ROW / 2);
    const known = new Set(ladder.rungs.map(({ tier }) => tier));
    const here = ladder.sessions.filter(({ tier }) => (rung.other ? !known.has(tier) : tier === rung.tier));
    const mark = asked && asked.model === rung.tier && svg("path", { class: "asked", d: diamond(x(asked.tokens), middle, 9) });
    return [sessionDots(here, middle, x), mark];
  });
  const lines = [ceilings(ladder, box), asked && askedLine(asked, box)];
  const size = { width, height: foot + 22, viewBox: `0 0 ${width} ${foot + 22}` };
  return svg("svg", { ...size, "aria-hidden": "true" }, axis(most, box), bars, lines, dots);
}

function axis(most, { x, foot, left, width, narrow }) {
  const anchor = (at) => (at < left + 10 ? "start" : at > width - 25 ? "end" : "middle");
  const marks = [];
  for (let power = LEAST; power <= most; power *= 10) {
    for (const digit of narrow ? [1] : [1, 2, 5]) if (digit * power <= most) marks.push(digit * power);
  }
  return marks.map((tokens) => [
    svg("line", { class: "grid", x1: x(tokens), x2: x(tokens), y1: TOP - 6, y2: foot }),
    svg("text", { class: "axis", x: x(tokens), y: foot + 16, "text-anchor": anchor(x(tokens)) }, tokens < 1000 ? tokens : `${tokens / 1000} k`),
  ]);
}

function ceilings({ high, mid }, { x, foot, left, width }) {
  const told = [
    [high, `best ≤ ${short(high)}`, "end", -5, 12],
    [mid, `agent ≤ ${short(mid)}`, "end", -5, 28],
  ];
  return told.map(([tokens, text, anchor, shift, y]) => {
    const at = x(tokens);
    const fits = at - widthOf(text) > left - NAMES;
    return [
      svg("line", { class: "ceiling", x1: at, x2: at, y1: 2, y2: foot }),
      svg("text", { class: "axis strong", x: fits ? at + shift : Math.min(at + 5, width), y, "text-anchor": fits ? anchor : "start" }, text),
    ];
  });
}

function askedLine({ tokens }, { x, foot, left }) {
  const at = x(tokens);
  const text = `this request ≈ ${short(tokens)}`;
  const before = at - widthOf(text) - 6 > left && at > (left + 900) / 2;
  return [
    svg("line", { class: "asked-line", x1: at, x2: at, y1: TOP - 22, y2: foot }),
    svg("text", { class: "asked-text", x: before ? at - 6 : at + 6, y: TOP - 12, "text-anchor": before ? "end" : "start" }, text),
  ];
}

function bar(rung, y, top, { left, width, narrow, x }) {
  const { role, tier, window, available, other } = rung;
  const line = top + (narrow ? 15 : ROW / 2 - 3);
  const name = other ? tier : ROLES[role] ?? role;
  const told = window ? `window ${short(window)}` : other ? "" : "window unknown";
  const end = window ? x(window) : width - 8;
  const state = other ? "elsewhere" : available ? "" : "missing";
  return [
    svg("rect", { class: ["rung", window || other ? "" : "unknown", state], x: left, y, width: Math.max(end - left, 2), height: BAR, rx: 4 }),
    narrow
      ? [svg("text", { class: "name", x: left, y: line }, other ? tier : `${tier} · ${name}`), svg("text", { class: "took", x: width - 8, y: line, "text-anchor": "end" }, told)]
      : [
          svg("text", { class: "name", x: 0, y: line }, cut(tier, 26)),
          svg("text", { class: "took", x: 0, y: line + 15 }, other ? "" : `${name} · ${told}`),
        ],
    !available && svg("text", { class: "what", x: left + 8, y: y + BAR - 7 }, cut(absence(rung), Math.floor((width - left) / 7))),
  ];
}

/** Sessions of one row; those that would cover each other stand a little above and below. */
function sessionDots(sessions, middle, x) {
  const taken = [];
  return sessions.map(({ session, tokens, turns, seen_s: seen }) => {
    const at = x(tokens);
    const near = taken.filter((other) => Math.abs(other - at) < 9).length;
    taken.push(at);
    const shift = [0, -7, 7][near % 3];
    const said = `session ${session}: ${count(tokens)} tokens, ${count(turns)} turns, seen ${seconds(seen)} ago`;
    return svg("circle", { class: "session", cx: at, cy: middle + shift, r: 5 }, svg("title", {}, said));
  });
}

/** Why a tier cannot be asked, and who plays its role meanwhile. */
function absence({ why, stand_in: standIn }) {
  return `${why || "cannot be asked now"}${standIn ? `; ${standIn} stands in` : ""}`;
}

function diamond(x, y, r) {
  return `M${x} ${y - r} ${x + r} ${y} ${x} ${y + r} ${x - r} ${y}Z`;
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function rungTable(rungs) {
  const lines = rungs.map(({ role, tier, window, ceiling, available, why, stand_in: standIn }) => [
    ROLES[role] ?? role,
    tier,
    window ? count(window) : "not known",
    ceiling ? `up to ${count(ceiling)}` : "–",
    available ? "yes" : `no: ${absence({ why, stand_in: standIn })}`,
  ]);
  return plainTable("Tiers", ["Role", "Tier", "Window", "Prompts", "Can be asked"], lines, "No tier plays a role.");
}

function sessionTable(sessions) {
  const lines = sessions.map(({ session, tier, tokens, turns, seen_s: seen }) => [
    h("a", { href: `/ui/activity?${new URLSearchParams({ session })}` }, session),
    tier,
    count(tokens),
    count(turns),
    `${seconds(seen)} ago`,
  ]);
  return plainTable("Sessions", ["Session", "Tier", "Tokens", "Turns", "Seen"], lines, "No session is remembered.");
}

function plainTable(label, heads, lines, empty) {
  if (lines.length === 0) return h("p", { class: "quiet" }, empty);
  return h(
    "div",
    { class: "scrolls", role: "region", "aria-label": label, tabindex: 0 },
    h(
      "table",
      {},
      h("caption", {}, label),
      h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, lines.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))),
    ),
  );
}
