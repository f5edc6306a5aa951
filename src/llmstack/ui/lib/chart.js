// Lines over time, drawn as SVG: axes, gaps, a readout for pointer and keyboard, and a table.

import { fill, h, keyed, say, set, svg } from "./dom.js";
import { short } from "./format.js";
import { clock, drawable, ticks, timeTicks } from "./scale.js";

const MARGIN = { top: 8, right: 10, bottom: 22, left: 56 };
/** A hole in the samples of this many usual distances is a gap in the line. */
const GAP = 3.5;
/** Rows of the table; more samples are thinned. */
const ROWS = 120;

/**
 * A chart. Returns `{element, show(series)}`.
 *
 * `label` says what is drawn, `format(value)` writes a value, `base` is 2 for bytes. `top` is the
 * end of the axis where there is one (100 %); the axis begins at 0, or at the least value below.
 * `span` is the least number of seconds shown, `height` pixels.
 *
 * `show` is given lines, `{name, points: [[seconds since the epoch, value], ...], area}`, and again
 * the `top` if that changes. What is no finite number is a gap; `area` fills below a line.
 */
export function chart({ label, format = short, base = 10, top = null, span = 60, height = 160 }) {
  let lines = [];
  let times = [];
  let cursor = null; // a moment of `times`, or null for none
  let width = 0;
  let scale = null;

  const readout = h("span", { class: "chart-readout" });
  const legend = h("ul", { class: "chart-legend" });
  const picture = svg("svg", { class: "chart-picture", role: "img", tabindex: 0, height });
  const body = h("tbody");
  const heads = h("tr");
  const numbers = h(
    "details",
    { class: "chart-numbers", ontoggle: () => tabulate() },
    h("summary", {}, "Numbers", h("span", { class: "unseen" }, ` of ${label}`)),
    h(
      "div",
      { class: "scrolls", role: "region", tabindex: 0, "aria-label": `Numbers of ${label}` },
      h("table", {}, h("caption", { class: "unseen" }, label), h("thead", {}, heads), body),
    ),
  );
  const head = h("div", { class: "chart-head", "aria-atomic": "true" }, legend, readout);
  const element = h("div", { class: "chart" }, head, picture, numbers);

  picture.addEventListener("pointermove", ({ clientX }) => {
    point(nearest(clientX - picture.getBoundingClientRect().left), "off");
  });
  picture.addEventListener("pointerleave", () => point(null, "off"));
  picture.addEventListener("blur", () => point(null, "off"));
  picture.addEventListener("keydown", walk);
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now === width) return;
    width = now;
    draw();
  }).observe(picture);

  function show(series, now = {}) {
    top = now.top ?? top;
    lines = series.map(({ name, points, area }, number) => ({ name, area, number, points: clean(points) }));
    times = [...new Set(lines.flatMap(({ points }) => points.map(([time]) => time)))].sort((one, other) => one - other);
    if (cursor !== null && !times.includes(cursor)) cursor = null;
    keyed(legend, lines, ({ number }) => number, entry, (item, { name }) => say(item.children[1], name));
    legend.hidden = lines.length < 2;
    set(picture, "aria-label", summary());
    draw();
    tabulate();
    tell();
  }

  function summary() {
    const told = lines.map(({ name, points }) => {
      const values = points.map(([, value]) => value).filter((value) => value !== null);
      if (!values.length) return `${name}: nothing yet`;
      const [least, most] = extent(values);
      return `${name}: latest ${format(values.at(-1))}, least ${format(least)}, most ${format(most)}`;
    });
    if (!times.length) return `${label}. No numbers yet.`;
    const when = `${clock(times[0])} to ${clock(times.at(-1))}`;
    return `${label}, ${when}. ${told.join("; ")}. Arrow keys read single moments.`;
  }

  function draw() {
    if (!width) return;
    scale = scaled();
    const { x, y, left, right } = scale;
    const bottom = height - MARGIN.bottom;
    const rows = scale.values.map((value) => [
      svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
      words(format(value), MARGIN.left - 8, y(value) + 4, "end"),
    ]);
    const most = Math.max(2, Math.floor((width - MARGIN.left) / 90));
    const moments = times.length ? timeTicks(left, right, most) : { step: 1, times: [] };
    const columns = moments.times
      .filter((time) => x(time) > MARGIN.left + 14 && x(time) < width - 30)
      .map((time) => words(clock(time, moments.step), x(time), height - 6));
    const drawn = lines.map((line, number) => strokes(line, number, scale, bottom));
    const none = !times.length && words("No numbers yet", (width + MARGIN.left) / 2, height / 2 - 6);
    set(picture, "viewBox", `0 0 ${width} ${height}`);
    fill(picture, rows, columns, drawn, none, marker(bottom));
  }

  function scaled() {
    const values = lines.flatMap(({ points }) => points.map(([, value]) => value).filter((value) => value !== null));
    const [least, most] = extent([0, drawable(top) ?? 0, ...values]);
    const axis = ticks(least, most > least ? most : 1, { base });
    const right = times.at(-1) ?? 0;
    const left = Math.min(times[0] ?? 0, right - span);
    const across = (width - MARGIN.left - MARGIN.right) / Math.max(right - left, 1e-3);
    const down = (height - MARGIN.top - MARGIN.bottom) / (axis.at(-1) - axis[0]);
    return {
      left,
      right,
      values: axis,
      x: (time) => tenth(MARGIN.left + (time - left) * across),
      y: (value) => tenth(height - MARGIN.bottom - (value - axis[0]) * down),
    };
  }

  function marker(bottom) {
    if (cursor === null) return null;
    const x = scale.x(cursor);
    const dots = lines.map(({ points }, number) => {
      const value = at(points, cursor);
      return value !== null && dot(number, x, scale.y(value), 3.5);
    });
    return [svg("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: bottom }), dots];
  }

  function nearest(place) {
    if (!times.length || !scale) return null;
    return times.reduce((best, time) =>
      Math.abs(scale.x(time) - place) < Math.abs(scale.x(best) - place) ? time : best,
    );
  }

  function walk(event) {
    const here = cursor === null ? times.length : times.indexOf(cursor);
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: times.length - 1 }[event.key];
    if (event.key === "Escape") point(null, "off");
    if (to === undefined || !times.length) return;
    event.preventDefault();
    point(times[Math.max(0, Math.min(times.length - 1, to))], "polite");
  }

  /** Say what was at `time`; aloud only for those who walk by keyboard. */
  function point(time, live) {
    if (time === cursor) return;
    cursor = time;
    set(head, "aria-live", live);
    tell();
    draw();
  }

  function tell() {
    const now = (points) => (cursor === null ? (points.at(-1)?.[1] ?? null) : at(points, cursor));
    const values = lines.map(({ points }) => format(now(points)));
    const moment = cursor === null ? "Latest" : clock(cursor);
    if (lines.length === 1) say(readout, times.length ? `${moment}: ${values[0]}` : "");
    else say(readout, cursor === null ? "" : moment);
    values.forEach((value, number) => say(legend.children[number].lastChild, value));
  }

  function tabulate() {
    if (!numbers.open) return;
    const each = Math.ceil(times.length / ROWS) || 1;
    const rows = times.filter((_, number) => (times.length - 1 - number) % each === 0).reverse();
    const columns = [{ name: "Time" }, ...lines];
    keyed(heads, columns, ({ number }) => number, () => h("th", { scope: "col" }), (th, { name }) => say(th, name));
    keyed(body, rows, String, () => h("tr"), (row, time) => {
      const cells = [clock(time), ...lines.map(({ points }) => format(at(points, time)))];
      while (row.children.length > cells.length) row.lastChild.remove();
      cells.forEach((text, number) => say(row.children[number] ?? row.appendChild(h("td")), text));
    });
  }

  return { element, show };
}

/** One line: its pieces between the gaps, and the area below them. */
function strokes({ points, area }, number, { x, y, values }, bottom) {
  const floor = Math.min(bottom, y(Math.max(0, values[0])));
  return pieces(points).map((piece) => {
    if (piece.length === 1) {
      return dot(number, x(piece[0][0]), y(piece[0][1]), 2);
    }
    const path = piece.map(([time, value]) => `${x(time)},${y(value)}`).join("L");
    const closed = `M${x(piece[0][0])},${floor}L${path}L${x(piece.at(-1)[0])},${floor}Z`;
    return [
      area && svg("path", { class: `area ${colour(number)}`, d: closed }),
      svg("path", { class: stroke(number), d: `M${path}` }),
    ];
  });
}

/** Points that belong together: split where a value is missing or samples did not come. */
function pieces(points) {
  const steps = points.slice(1).map(([time], number) => time - points[number][0]).sort((one, other) => one - other);
  const longest = Math.max((steps[steps.length >> 1] ?? 0) * GAP, 2);
  const found = [];
  let before = null;
  for (const point of points) {
    if (point[1] !== null) {
      if (before === null || point[0] - before > longest) found.push([]);
      found.at(-1).push(point);
    }
    before = point[1] === null ? null : point[0];
  }
  return found;
}

function entry({ number }) {
  const line = svg("line", { class: stroke(number), x1: 0, x2: 22, y1: 5, y2: 5 });
  return h("li", {}, svg("svg", { width: 22, height: 10, "aria-hidden": "true" }, line), h("span"), h("b"));
}

function clean(points) {
  return points
    .map(([time, value]) => [drawable(time), drawable(value)])
    .filter(([time]) => time !== null)
    .sort(([one], [other]) => one - other);
}

function at(points, time) {
  return points.find(([moment]) => moment === time)?.[1] ?? null;
}

function extent(values) {
  const widen = ([least, most], value) => [Math.min(least, value), Math.max(most, value)];
  return values.reduce(widen, [Infinity, -Infinity]);
}

function dot(number, x, y, radius) {
  return svg("circle", { class: `dot ${colour(number)}`, cx: x, cy: y, r: radius });
}

function words(text, x, y, anchor = "middle") {
  return svg("text", { class: "tick", x, y, "text-anchor": anchor }, text);
}

function stroke(number) {
  return `line ${colour(number)} dash-${(number % 6) + 1}`;
}

/** The class of a line's colour; more lines than colours share them. */
function colour(number) {
  return `series-${(number % 6) + 1}`;
}

function tenth(number) {
  return Math.round(number * 10) / 10;
}
