// Lines of a log on the screen: drawn a little in every frame, so that no flood stops the page.

import { drawn, pieces } from "../lib/ansi.js";
import { h } from "../lib/dom.js";
import { Lines } from "./logs-lines.js";

/** Blocks of lines that are dropped from the screen together; how many there are of them. */
const BLOCKS = 50;
/** Milliseconds, and what lines may cost (see `Lines`), that one frame may take. */
const BUDGET = 8;
const COST = 60_000;
/** Pixels from the end that still count as the end. */
const NEAR = 8;

/**
 * A log that is shown until `signal` is aborted. `label` names it for screen readers, `most` is how
 * many lines are kept; `changed()` is told when what the members below tell has changed.
 */
export class LogView {
  constructor({ label, most, signal, changed = () => {} }) {
    this.lines = new Lines(most);
    this.perBlock = Math.ceil(this.lines.most / BLOCKS);
    this.following = true;
    this.paused = false;
    /** Lines on the screen. */
    this.shown = 0;
    // Read out on demand only: nobody can listen to a flood.
    this.element = h("div", { class: "log", role: "log", "aria-live": "off", "aria-label": label, tabindex: 0 });
    this.unfinished = h("div", { class: "line", hidden: true });
    this.changed = changed;
    this.match = null;
    this.frame = 0;
    this.top = 0;
    this.#empty();
    this.element.addEventListener("scroll", () => this.#scrolled());
    const sizes = new ResizeObserver(() => this.#toEnd());
    sizes.observe(this.element);
    signal.addEventListener("abort", () => {
      sizes.disconnect();
      cancelAnimationFrame(this.frame);
    });
  }

  /** Take text as it came. */
  take(text) {
    this.lines.add(text);
    this.#soon();
  }

  /** Say that lines may be missing. */
  gap() {
    this.lines.note("The connection was lost and is back; lines in between may be missing.");
    this.#soon();
  }

  /** Forget all lines. */
  clear() {
    this.lines.clear();
    this.pausedAt = this.lines.next;
    this.#redraw();
  }

  /** Show only lines whose text `match` likes; null for all. */
  filter(match) {
    this.match = match;
    this.#redraw();
  }

  /** Leave the screen as it is while lines come; or go on. */
  pause(paused) {
    this.paused = paused;
    this.pausedAt = this.lines.next;
    this.#soon();
  }

  /** Show the newest line and stay there. */
  follow() {
    this.following = true;
    this.#toEnd();
    this.changed();
  }

  #redraw() {
    this.#empty();
    this.#soon();
  }

  #empty() {
    this.blocks = [];
    this.drawn = this.lines.first;
    this.shown = 0;
    this.element.replaceChildren(this.unfinished);
  }

  #soon() {
    this.frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.frame = 0;
    if (!this.paused) this.#dropOld();
    const end = this.paused ? this.pausedAt : this.lines.next;
    const until = performance.now() + BUDGET;
    this.drawn = Math.max(this.drawn, this.lines.first);
    for (let cost = 0; this.drawn < end && cost < COST && performance.now() < until; this.drawn += 1) {
      const line = this.lines.at(this.drawn);
      this.#put(line);
      cost += line.cost;
    }
    if (!this.paused) this.#drawUnfinished();
    this.#toEnd();
    this.changed();
    if (this.drawn < end) this.#soon();
  }

  #put(line) {
    let block = this.blocks.at(-1);
    if (!block || block.count >= this.perBlock) {
      block = { element: h("div"), count: 0, shown: 0, last: 0 };
      this.blocks.push(block);
      this.unfinished.before(block.element);
    }
    block.count += 1;
    block.last = line.number;
    if (this.match && line.level !== "note" && !this.match(line.text)) return;
    block.shown += 1;
    this.shown += 1;
    block.element.append(h("div", { class: ["line", line.level, line.joined && "joined"] }, content(line.text)));
  }

  #drawUnfinished() {
    const { rest } = this.lines;
    this.unfinished.hidden = !rest || Boolean(this.match && !this.match(rest));
    if (rest) this.unfinished.replaceChildren(...content(rest.slice(rest.lastIndexOf("\r", rest.length - 2) + 1)));
  }

  #dropOld() {
    while (this.blocks.length > 0 && this.blocks[0].last < this.lines.first) {
      const block = this.blocks.shift();
      const { scrollHeight, scrollTop } = this.element;
      block.element.remove();
      this.shown -= block.shown;
      if (!this.following) this.element.scrollTop = scrollTop - (scrollHeight - this.element.scrollHeight);
    }
  }

  #toEnd() {
    if (!this.following) return;
    this.element.scrollTop = this.element.scrollHeight;
    this.top = this.element.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    const before = this.following;
    if (atEnd) this.following = true;
    else if (scrollTop < this.top) this.following = false;
    this.top = scrollTop;
    if (this.following !== before) this.changed();
  }
}

/** The nodes of a line. An empty one keeps its height. */
function content(text) {
  const nodes = pieces(text).map((piece) => {
    if (!piece.look) return document.createTextNode(piece.text);
    const { classes, ink, ground } = drawn(piece.look);
    const span = h("span", { class: classes }, piece.text);
    if (ink) span.style.setProperty(ground ? "color" : "--ink", ink);
    if (ground) span.style.setProperty("background-color", ground);
    return span;
  });
  return nodes.length > 0 ? nodes : ["\u200b"];
}
