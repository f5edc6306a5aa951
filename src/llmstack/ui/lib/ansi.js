// Terminal colours in a line of text: SGR sequences become looks, every other escape is dropped.
//
// Nothing here touches a document. Codes: ECMA-48 8.3.117 and xterm's control sequences.

/** Pieces that one line may have; what follows has the look of the last one. */
export const PIECES = 200;
/** Red, green and blue of the sixteen named colours, as xterm has them. */
const NAMED = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 0, 0], [0, 255, 0], [255, 255, 0], [92, 92, 255], [255, 0, 255], [0, 255, 255],
  [255, 255, 255],
];

// CSI with its final byte; strings (OSC, DCS, SOS, PM, APC) up to their end or the line's; the rest.
const ESCAPE = new RegExp(
  [
    "(?:\u001b\\[|\u009b)([0-?]*)[ -/]*([@-~])?",
    "(?:\u001b[\\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\\\|\u009c)?",
    "\u001b[ -/]*[0-~]?",
  ].join("|"),
  "g",
);
/** Control characters, except the tab. */
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/**
 * The pieces of a line: `{text, look}`, `look` null for plain text.
 *
 * A look is `{fore, back, bold, dim, italic, underline, strike, inverse}`; a colour is a number
 * below 16 or `[red, green, blue]`. Control characters that are left are shown by their numbers.
 */
export function pieces(line) {
  const found = [];
  let look = null;
  let from = 0;
  ESCAPE.lastIndex = 0;
  while (found.length < PIECES) {
    const match = ESCAPE.exec(line);
    if (!match) break;
    add(found, line.slice(from, match.index), look);
    from = ESCAPE.lastIndex;
    if (match[2] === "m") look = changed(look, match[1]);
  }
  add(found, line.slice(from).replace(ESCAPE, ""), look);
  return found;
}

/** The line without escapes. */
export function plain(line) {
  return shown(line.replace(ESCAPE, ""));
}

/** How to draw a look: class names, and CSS colours where no class has them. */
export function drawn(look) {
  const classes = ["bold", "dim", "italic", "underline", "strike"]
    .filter((name) => look[name])
    .map((name) => `ansi-${name}`);
  let { fore, back } = look;
  if (look.inverse) {
    if (fore === undefined && back === undefined) return { classes: [...classes, "ansi-inverse"] };
    [fore, back] = [back, fore];
  }
  if (back !== undefined) {
    const ground = rgb(back);
    return { classes, ink: css(fore === undefined ? readable(ground) : rgb(fore)), ground: css(ground) };
  }
  if (fore === undefined) return { classes };
  if (typeof fore === "number") return { classes: [...classes, `ansi-${fore}`] };
  return { classes: [...classes, "ansi-ink"], ink: css(fore) };
}

function add(found, text, look) {
  if (!text) return;
  const last = found.at(-1);
  if (last && last.look === look) last.text += shown(text);
  else found.push({ text: shown(text), look });
}

function shown(text) {
  return text.replace(CONTROL, (sign) => {
    return `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** The look after a sequence with these parameters. */
function changed(before, parameters) {
  if (/[<=>?]/.test(parameters)) return before; // xterm's own, none of SGR
  const look = { ...before };
  const codes = parameters.split(";");
  for (let at = 0; at < codes.length; at += 1) {
    const [code, ...parts] = codes[at].split(":").map(Number);
    if (code === 38 || code === 48 || code === 58) {
      const [colour, used] = parts.length ? [inParts(parts), 0] : following(codes, at + 1);
      at += used;
      if (colour !== null && code !== 58) look[code === 38 ? "fore" : "back"] = colour;
    } else {
      apply(look, code, parts);
    }
  }
  return Object.keys(look).length > 0 ? look : null;
}

function apply(look, code, parts) {
  const on = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike", 21: "underline" };
  const off = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"], 29: ["strike"] };
  if (code === 0) for (const name of Object.keys(look)) delete look[name];
  else if (code === 4 && parts[0] === 0) delete look.underline;
  else if (on[code]) look[on[code]] = true;
  else if (off[code]) for (const name of off[code]) delete look[name];
  else if (code >= 30 && code <= 37) look.fore = code - 30;
  else if (code === 39) delete look.fore;
  else if (code >= 40 && code <= 47) look.back = code - 40;
  else if (code === 49) delete look.back;
  else if (code >= 90 && code <= 97) look.fore = code - 82;
  else if (code >= 100 && code <= 107) look.back = code - 92;
}

/** A colour of `38:5:n`, `38:2:r:g:b` or `38:2:space:r:g:b`. */
function inParts([kind, ...numbers]) {
  if (kind === 5) return indexed(numbers[0]);
  return kind === 2 ? direct(numbers.slice(numbers.length > 3 ? 1 : 0)) : null;
}

/** A colour of `38;5;n` or `38;2;r;g;b`, and how many codes it took. */
function following(codes, at) {
  const number = (offset) => Number(codes[at + offset]);
  if (number(0) === 5) return [indexed(number(1)), 2];
  return number(0) === 2 ? [direct([number(1), number(2), number(3)]), 4] : [null, 1];
}

function direct(numbers) {
  const three = numbers.slice(0, 3);
  const right = three.length === 3 && three.every((value) => Number.isInteger(value) && value >= 0 && value < 256);
  return right ? three : null;
}

function indexed(number) {
  if (!Number.isInteger(number) || number < 0 || number > 255) return null;
  if (number < 16) return number;
  if (number > 231) return Array(3).fill(8 + 10 * (number - 232));
  const step = (value) => (value ? 55 + 40 * value : 0);
  const place = number - 16;
  return [step(Math.floor(place / 36)), step(Math.floor(place / 6) % 6), step(place % 6)];
}

const rgb = (colour) => (typeof colour === "number" ? NAMED[colour] : colour);
const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/** Black or white, whichever can be read on `ground` (relative luminance of WCAG 2.2). */
function readable(ground) {
  const [red, green, blue] = ground.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? [0, 0, 0] : [255, 255, 255];
}
