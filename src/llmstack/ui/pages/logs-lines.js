// A log as lines: cut from what comes, bounded, filtered. Nothing here touches a document.

import { PIECES, plain } from "../lib/ansi.js";

/** Lines that are kept, and what they may cost; the oldest go first. */
const MOST_LINES = 10_000;
const MOST_COST = 2_000_000;
/** What a line costs beside its characters, and each of its escapes. */
const LINE = 60;
const ESCAPE = 40;
/** Characters after which a line is cut, so that one without an end cannot fill the memory. */
const LONGEST = 4096;
/** How far the limits are passed before room is made, so that it is made seldom. */
const SLACK = 1.05;

const LEVELS = [
  ["error", /\b(?:ERROR|CRITICAL|FATAL|Traceback|panic)\b|\berror:|^(?:[\d.]+ )?E /],
  ["warning", /\b(?:WARN|WARNING)\b|\bwarning:|^(?:[\d.]+ )?W /],
];

/**
 * The last `most` lines of a log.
 *
 * A line is `{number, text, level, joined, cost}`: numbers go up and never come again, `level` is `error`,
 * `warning`, `note` (ours) or nothing; `joined` says that it goes on where the one before was cut.
 */
export class Lines {
  constructor(most = MOST_LINES) {
    this.most = most;
    this.kept = [];
    this.first = 0;
    this.clear();
  }

  /** Forget everything. */
  clear() {
    this.first = this.next;
    this.kept = [];
    this.dropped = 0;
    this.cost = 0;
    this.rest = "";
    this.joined = false;
  }

  /** The number that the next line will have. */
  get next() {
    return this.first + this.kept.length;
  }

  /** The line of that number, if it is kept. */
  at(number) {
    return this.kept[number - this.first];
  }

  /** Take `text` as it came; an unfinished line waits for its end. */
  add(text) {
    const parts = text.split("\n");
    parts[0] = this.rest + parts[0];
    this.rest = parts.pop();
    for (const part of parts) {
      this.#line(part);
      this.joined = false;
    }
    while (this.rest.length > LONGEST) {
      const end = cut(this.rest);
      this.#put(this.rest.slice(0, end));
      this.rest = this.rest.slice(end);
    }
    this.#drop();
  }

  /** Add a line of our own. */
  note(text) {
    if (this.rest) this.add("\n");
    this.#put(text, "note");
    this.joined = false;
  }

  /** All that is kept, without escapes. */
  text() {
    const parts = this.kept.map((line) => (line.joined ? "" : "\n") + plain(line.text));
    const unfinished = this.rest ? (this.joined ? "" : "\n") + plain(this.rest) : "";
    return `${parts.join("")}${unfinished}\n`.replace(/^\n/, "");
  }

  #line(text) {
    // A progress line is overwritten from its beginning: what was written last is what is seen.
    let left = text.endsWith("\r") ? text.slice(0, -1) : text;
    left = left.slice(left.lastIndexOf("\r") + 1);
    while (left.length > LONGEST) {
      const end = cut(left);
      this.#put(left.slice(0, end));
      left = left.slice(end);
    }
    this.#put(left);
  }

  #put(text, level = levelOf(text)) {
    const cost = text.length + LINE + ESCAPE * Math.min(text.split("\u001b").length - 1, PIECES);
    this.kept.push({ number: this.next, text, level, joined: this.joined, cost });
    this.cost += cost;
    this.joined = true;
  }

  #drop() {
    const full = this.cost > MOST_COST * SLACK;
    if (this.kept.length <= this.most * SLACK && !full) return;
    let count = Math.max(0, this.kept.length - this.most);
    let left = this.cost;
    for (let at = 0; at < count; at += 1) left -= this.kept[at].cost;
    while (left > MOST_COST) {
      left -= this.kept[count].cost;
      count += 1;
    }
    this.kept.splice(0, count);
    this.first += count;
    this.dropped += count;
    this.cost = left;
  }
}

function levelOf(text) {
  const bare = plain(text.slice(0, 300));
  return LEVELS.find(([, sign]) => sign.test(bare))?.[0];
}

/** Where to cut a text that is too long: not within a character or an escape. */
function cut(text) {
  const escape = text.lastIndexOf("\u001b", LONGEST - 1);
  if (escape > LONGEST - 40 && escape > 0) return escape;
  const code = text.charCodeAt(LONGEST - 1);
  return code >= 0xd800 && code <= 0xdbff ? LONGEST - 1 : LONGEST;
}

/**
 * Whether a line is to be shown, as a function of its text, null where all are.
 *
 * Throws a SyntaxError if `regex` and `wanted` is no regular expression.
 */
export function matcher(wanted, { regex, exact }) {
  if (!wanted) return null;
  if (regex) {
    const pattern = new RegExp(wanted, exact ? "u" : "iu");
    return (text) => pattern.test(plain(text));
  }
  if (exact) return (text) => plain(text).includes(wanted);
  const small = wanted.toLowerCase();
  return (text) => plain(text).toLowerCase().includes(small);
}
