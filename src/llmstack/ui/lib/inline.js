// What stands within a paragraph of markdown: code, emphasis, links. Takes time in proportion to
// the text, whatever the text is; the steps follow CommonMark's "An algorithm for parsing nested
// inline structures".

import { h, isAddress } from "./dom.js";

/** Characters beyond which a paragraph is shown as it is: nobody reads one of that length. */
const LONGEST = 50_000;
/** Elements within each other; what is deeper stands in the deepest one. */
const DEEPEST = 16;
/** Marks in a row that can be emphasis; longer rows are drawings. */
const WIDEST = 6;
/** Characters of a link's target, and parentheses within each other in it. */
const TARGET = 2000;
const NESTED = 8;

const PUNCTUATION = /[\p{P}\p{S}]/u;
const SPACE = /\s/u;
const ESCAPABLE = /[!-/:-@[-`{-~]/;
const ENTITY = /^&(?:(amp|lt|gt|quot|apos|nbsp)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));/;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const TAGS = { "*": ["em", "strong"], _: ["em", "strong"], "~": [null, "del"] };

/**
 * Nodes for `text`. With `open` the text goes on later: what is begun at its end counts as ended
 * there, so that no bare marks flash up while an answer is being written.
 */
export function inline(text, open = false) {
  if (text.length > LONGEST) return [document.createTextNode(text)];
  const reader = new Reader(open ? text.replace(/[*_~`]{1,3}$/, "") : text, open);
  reader.read();
  return build(reader.tokens);
}

/** Tokens are `{text}`, `{code}`, `{br}`, `{link}`, and marks that become `open` and `close`. */
class Reader {
  constructor(text, open) {
    this.text = text;
    this.open = open;
    this.at = 0;
    this.plain = "";
    this.tokens = [];
    this.marks = [];
    this.brackets = [];
    this.ticks = ticks(text);
  }

  read() {
    while (this.at < this.text.length) this.step(this.text[this.at]);
    this.flush();
    emphasise(this.marks, 0, this.open);
  }

  step(char) {
    if (char === "\\") this.escape();
    else if (char === "`") this.code();
    else if (char === "*" || char === "_" || char === "~") this.mark(char);
    else if (char === "[") this.bracket(1);
    else if (char === "!" && this.text[this.at + 1] === "[") this.bracket(2);
    else if (char === "]") this.link();
    else if (char === "<") this.angled();
    else if (char === "&") this.entity();
    else if (char === "h" && this.text.startsWith("http", this.at)) this.bare();
    else if (char === "\n") this.newline();
    else this.take(1);
  }

  take(count) {
    this.plain += this.text.slice(this.at, this.at + count);
    this.at += count;
  }

  flush() {
    if (this.plain) this.tokens.push({ text: this.plain });
    this.plain = "";
  }

  push(token) {
    this.flush();
    this.tokens.push(token);
    return token;
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === "\n") {
      this.push({ br: true });
      this.at += 2;
      return;
    }
    if (next !== undefined && ESCAPABLE.test(next)) this.at += 1;
    this.take(1);
  }

  code() {
    const run = this.ticks.get(this.at);
    if (!run) {
      this.take(1); // the rest of a run whose first backtick is escaped
      return;
    }
    const end = run.close ?? (this.open && run.last ? this.text.length : null);
    if (end === null) {
      this.take(run.size);
      return;
    }
    let code = this.text.slice(this.at + run.size, end).replace(/\n/g, " ");
    if (code.startsWith(" ") && code.endsWith(" ") && code.trim()) code = code.slice(1, -1);
    if (code) this.push({ code });
    this.at = end + run.size;
  }

  mark(char) {
    let size = 1;
    while (this.text[this.at + size] === char) size += 1;
    const before = this.at ? previous(this.text, this.at) : " ";
    const after = following(this.text, this.at + size);
    const [spaceBefore, spaceAfter] = [SPACE.test(before), SPACE.test(after)];
    const [wordBefore, wordAfter] = [before, after].map((one) => !SPACE.test(one) && !PUNCTUATION.test(one));
    const left = !spaceAfter && (wordAfter || spaceBefore || !wordBefore);
    const right = !spaceBefore && (wordBefore || spaceAfter || !wordAfter);
    const within = char === "_" && left && right;
    const opens = left && !(within && wordBefore);
    const closes = right && !(within && wordAfter);
    if (size > WIDEST || (char === "~" && size !== 2) || !(opens || closes)) {
      this.take(size);
      return;
    }
    const token = this.push({ char, left: size, size, opens, closes, begin: [], end: [] });
    this.marks.push(token);
    this.at += size;
  }

  bracket(size) {
    const token = this.push({ text: this.text.slice(this.at, this.at + size) });
    this.brackets.push({ token, image: size === 2, marks: this.marks.length });
    this.at += size;
  }

  link() {
    const bracket = this.brackets.pop();
    const target = bracket && this.text[this.at + 1] === "(" && destination(this.text, this.at + 2);
    const cut = target === CUT && this.open;
    if (!target || (target === CUT && !cut)) {
      this.take(1);
      return;
    }
    // Marks within the link's text find each other there, and none outside.
    emphasise(this.marks, bracket.marks, false);
    this.marks.length = bracket.marks;
    const address = cut ? null : outside(target.address);
    bracket.token.text = bracket.image && address ? "Image: " : "";
    if (address) bracket.token.link = address;
    this.push({ text: "", unlink: Boolean(address) });
    if (!address && !cut) this.plain += ` (${target.address})`;
    this.at = cut ? this.text.length : target.end;
    // A link holds no other link.
    if (!bracket.image) this.brackets = [];
  }

  angled() {
    const end = this.text.slice(this.at, this.at + TARGET).search(/[>\s]/);
    const address = end > 0 && this.text[this.at + end] === ">" && this.text.slice(this.at + 1, this.at + end);
    if (!address || !/^(https?:\/\/|mailto:)/i.test(address) || !this.address(address)) {
      this.take(1);
      return;
    }
    this.at += end + 1;
  }

  bare() {
    const before = this.at ? this.text[this.at - 1] : " ";
    const found = /^https?:\/\/[^\s<>`"]+/.exec(this.text.slice(this.at, this.at + TARGET));
    let address = found?.[0].replace(/[.,:;!?'*_~\]]{1,20}$/, "");
    if (address?.endsWith(")") && !address.includes("(")) address = address.replace(/\){1,20}$/, "");
    if (!address || /[\p{L}\p{N}]/u.test(before) || !this.address(address)) this.take(4);
    else this.at += address.length;
  }

  address(text) {
    const address = this.brackets.length === 0 && outside(text);
    if (!address) return false;
    this.push({ text: "", link: address });
    this.push({ text });
    this.push({ text: "", unlink: true });
    return true;
  }

  entity() {
    const found = ENTITY.exec(this.text.slice(this.at, this.at + 12));
    if (!found) {
      this.take(1);
      return;
    }
    const number = found[2] ? Number(found[2]) : parseInt(found[3], 16);
    const known = number > 0 && number <= 0x10ffff && !(number >= 0xd800 && number < 0xe000);
    this.plain += found[1] ? ENTITIES[found[1]] : known ? String.fromCodePoint(number) : "\ufffd";
    this.at += found[0].length;
  }

  newline() {
    const bare = this.plain.replace(/ {1,20}$/, "");
    const hard = this.plain.length - bare.length >= 2;
    this.plain = bare;
    if (hard) this.push({ br: true });
    else this.plain += "\n";
    this.at += 1;
    while (this.text[this.at] === " ") this.at += 1;
  }
}

/** By where it begins, each run of backticks: its size, where the one that ends it begins. */
function ticks(text) {
  const runs = new Map();
  const waiting = new Map();
  let last = null;
  for (const { 0: { length: size }, index } of text.matchAll(/`+/g)) runs.set(index, { size, close: null });
  // From the end: the next run of the same size is the one that was seen last.
  for (const [index, run] of [...runs].reverse()) {
    run.close = waiting.get(run.size) ?? null;
    if (run.close === null) last ??= run;
    waiting.set(run.size, index);
  }
  if (last) last.last = true;
  return runs;
}

const CUT = Symbol("the text ends within the target");

/** The target of a link that begins at `at`: `{address, end}`, CUT, or null. */
function destination(text, at) {
  let depth = 0;
  const begin = at;
  for (; at < text.length && at - begin < TARGET; at += 1) {
    const char = text[at];
    if (char === "\\") at += 1;
    else if (char === "(" && ++depth > NESTED) return null;
    else if (char === ")" && depth-- === 0) return { address: clean(text.slice(begin, at)), end: at + 1 };
    else if (SPACE.test(char)) return titled(text, begin, at);
  }
  return at >= text.length ? CUT : null;
}

/** As `destination`, for one that has a title behind it. */
function titled(text, begin, at) {
  const address = clean(text.slice(begin, at));
  const rest = text.slice(at, at + 300);
  const found = /^\s{1,20}(?:"[^"]*"|'[^']*')?\s{0,20}\)/.exec(rest);
  if (found) return { address, end: at + found[0].length };
  return /^\s+["'][^"']*$/.test(rest) && at + 300 > text.length ? CUT : null;
}

function clean(target) {
  const bare = target.startsWith("<") && target.endsWith(">") ? target.slice(1, -1) : target;
  return bare.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}

/**
 * `text` if it is the address of something elsewhere, else null. Links to this machine are none:
 * following one could do something here (`GET /unload`), and models' words are not the user's.
 */
function outside(text) {
  if (!isAddress(text) || !/^(https?:\/\/|mailto:)/i.test(text)) return null;
  const url = parsed(text);
  if (!url) return null;
  const host = url.hostname.replace(/\.$/, "");
  const here = host === location.hostname || host.endsWith("localhost") || /^(127\.|0\.|\[::)/.test(host);
  return url.protocol !== "mailto:" && here ? null : url.href;
}

function parsed(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function previous(text, at) {
  const code = text.charCodeAt(at - 1);
  return code >= 0xdc00 && code < 0xe000 ? text.slice(Math.max(0, at - 2), at) : text[at - 1];
}

function following(text, at) {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)) : " ";
}

/** Pair the marks from `bottom` on; with `open` the last one that is left over ends at the end. */
function emphasise(marks, bottom, open) {
  const left = []; // openers that may still find their end
  const none = new Map(); // for a kind of closer, how deep there is no opener for it
  for (let number = bottom; number < marks.length; number += 1) {
    const mark = marks[number];
    if (mark.closes) pair(left, mark, none);
    if (mark.opens && mark.left > 0) left.push(mark);
  }
  const last = left.at(-1);
  if (!open || !last || !TAGS[last.char][Math.min(last.left, 2) - 1]) return;
  const tag = TAGS[last.char][Math.min(last.left, 2) - 1];
  last.begin.unshift(tag);
  last.left = 0;
}

function pair(left, closer, none) {
  while (closer.left > 0) {
    const kind = `${closer.char}${closer.opens}${closer.size % 3}`;
    let number = left.length - 1;
    const floor = Math.min(none.get(kind) ?? 0, left.length);
    while (number >= floor && !fits(left[number], closer)) number -= 1;
    if (number < floor) {
      none.set(kind, left.length);
      return;
    }
    const opener = left[number];
    left.length = number + 1; // marks in between found no end
    for (const [name, depth] of none) if (depth > number) none.set(name, number);
    const size = Math.min(2, opener.left, closer.left);
    const tag = TAGS[opener.char][size - 1];
    opener.begin.unshift(tag);
    closer.end.push(tag);
    opener.left -= size;
    closer.left -= size;
    if (opener.left === 0) left.pop();
  }
}

function fits(opener, closer) {
  if (opener.char !== closer.char || opener.left === 0) return false;
  const either = (opener.closes || closer.opens) && (opener.size + closer.size) % 3 === 0;
  return !either || (opener.size % 3 === 0 && closer.size % 3 === 0);
}

/** The tokens as nodes, without recursion. */
function build(tokens) {
  const root = document.createDocumentFragment();
  const path = [root];
  let beyond = 0; // elements that are not made, because they would be too deep
  let links = 0;
  let text = "";
  const add = (...nodes) => {
    if (text) path.at(-1).append(text);
    text = "";
    path.at(-1).append(...nodes);
  };
  const enter = (element) => {
    if (path.length > DEEPEST) {
      beyond += 1;
      return;
    }
    add(element);
    path.push(element);
  };
  const leave = () => {
    add();
    if (beyond) beyond -= 1;
    else if (path.length > 1) path.pop();
  };
  for (const token of tokens) {
    for (const _ of token.end ?? []) leave();
    // An image within a link leads where the link leads.
    if (token.link) enter(links++ ? h("span") : linked(token.link));
    text += token.char ? token.char.repeat(token.left) : (token.text ?? "");
    if (token.code) add(h("code", {}, token.code));
    if (token.br) add(h("br"));
    if (token.unlink) {
      links -= 1;
      leave();
    }
    for (const tag of token.begin ?? []) enter(h(tag));
  }
  add();
  return [...root.childNodes];
}

function linked(address) {
  return h("a", { href: address, rel: "noopener noreferrer", target: "_blank", title: address });
}
