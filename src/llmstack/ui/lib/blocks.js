// Divides markdown into blocks: values, no elements. Each line is looked at once per level.

/** Blocks within each other; what is deeper is text of the deepest one. */
const DEEPEST = 12;
/** Columns beyond which a line with bars is no table. */
const COLUMNS = 64;
const BULLETS = "-*+";

/**
 * The blocks of `lines`, each with the number of its first line as `start`:
 * `{kind: "heading", level, text}`, `{kind: "code", language, text}`, `{kind: "rule"}`,
 * `{kind: "quote", blocks}`, `{kind: "list", ordered, first, loose, items: [blocks]}`,
 * `{kind: "table", align, head, rows}` and `{kind: "paragraph", text}`.
 *
 * Setext headings are none here: models that write `---` below a line mean a rule.
 */
export function blocks(lines, depth = 0) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const start = at;
    const block = read(lines, at, depth);
    at = block.next;
    delete block.next;
    found.push({ start, ...block });
  }
  return found;
}

function read(lines, at, depth) {
  const line = lines[at];
  const wide = indent(line);
  if (wide >= 4) return indented(lines, at);
  const text = line.slice(blanks(line));
  const fence = fenceOf(text);
  if (fence) return fenced(lines, at, fence, wide);
  const heading = headingOf(text);
  if (heading) return { ...heading, next: at + 1 };
  if (isRule(text)) return { kind: "rule", next: at + 1 };
  if (depth < DEEPEST && text[0] === ">") return quote(lines, at, depth);
  if (depth < DEEPEST && markerOf(line)) return list(lines, at, depth);
  return tableAt(lines, at) ?? paragraph(lines, at, depth);
}

/** Whether a line ends the paragraph before it. */
function interrupts(line, depth) {
  if (indent(line) >= 4) return false;
  const text = line.slice(blanks(line));
  if (fenceOf(text) || headingOf(text) || isRule(text)) return true;
  if (depth >= DEEPEST) return false;
  if (text[0] === ">") return true;
  const marker = markerOf(line);
  return Boolean(marker && !marker.empty && (!marker.ordered || marker.number === 1));
}

function paragraph(lines, at, depth) {
  const held = [lines[at].slice(blanks(lines[at]))];
  let next = at + 1;
  while (next < lines.length && !isBlank(lines[next]) && !interrupts(lines[next], depth)) {
    if (tableAt(lines, next, true)) break;
    held.push(lines[next].slice(blanks(lines[next])));
    next += 1;
  }
  return { kind: "paragraph", text: held.join("\n").trimEnd(), next };
}

function indented(lines, at) {
  let next = at;
  let end = at;
  while (next < lines.length && (isBlank(lines[next]) || indent(lines[next]) >= 4)) {
    next += 1;
    if (!isBlank(lines[next - 1])) end = next;
  }
  const text = lines.slice(at, end).map((line) => dedent(line, 4)).join("\n");
  return { kind: "code", language: "", text, next: end };
}

function fenced(lines, at, fence, wide) {
  const held = [];
  let next = at + 1;
  for (; next < lines.length; next += 1) {
    if (indent(lines[next]) < 4 && ends(lines[next].trim(), fence)) {
      return { kind: "code", language: fence.language, text: held.join("\n"), next: next + 1 };
    }
    held.push(dedent(lines[next], wide));
  }
  if (held.at(-1) === "") held.pop(); // the end of the text's last line
  return { kind: "code", language: fence.language, text: held.join("\n"), next };
}

function fenceOf(text) {
  const char = text[0];
  if (char !== "`" && char !== "~") return null;
  const size = run(text, char);
  if (size < 3) return null;
  const about = text.slice(size);
  if (char === "`" && about.includes("`")) return null;
  return { char, size, language: about.trim() };
}

function ends(text, fence) {
  return text[0] === fence.char && text.length >= fence.size && run(text, fence.char) === text.length;
}

function headingOf(text) {
  if (text[0] !== "#") return null;
  const level = run(text, "#");
  const after = text[level];
  if (level > 6 || (after !== undefined && after !== " " && after !== "\t")) return null;
  let told = text.slice(level).trim();
  let end = told.length;
  while (told[end - 1] === "#") end -= 1;
  if (end === 0 || told[end - 1] === " ") told = told.slice(0, end).trimEnd();
  return { kind: "heading", level, text: told };
}

function isRule(text) {
  const char = text[0];
  if (char !== "-" && char !== "*" && char !== "_") return false;
  let count = 0;
  for (const one of text) {
    if (one === char) count += 1;
    else if (one !== " " && one !== "\t") return false;
  }
  return count >= 3;
}

function quote(lines, at, depth) {
  const held = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const text = lines[next].slice(blanks(lines[next]));
    if (text[0] === ">" && indent(lines[next]) < 4) held.push(text.slice(text[1] === " " ? 2 : 1));
    else if (isBlank(text) || isBlank(held.at(-1)) || interrupts(lines[next], depth)) break;
    else held.push(text); // a paragraph that goes on without its mark
  }
  return { kind: "quote", blocks: blocks(held, depth + 1), next };
}

/**
 * The mark of a list's item, or null: `{kind, ordered, number, at, content, text, empty}`; `content`
 * is the column at which `text` begins.
 */
function markerOf(line) {
  const at = blanks(line);
  let end = at + 1;
  let number = null;
  if (line[at] >= "0" && line[at] <= "9") {
    while (end - at < 10 && line[end] >= "0" && line[end] <= "9") end += 1;
    if (line[end] !== "." && line[end] !== ")") return null;
    number = Number(line.slice(at, end));
    end += 1;
  } else if (!line[at] || !BULLETS.includes(line[at])) {
    return null;
  }
  const rest = line.slice(end);
  const space = indent(rest);
  const empty = isBlank(rest);
  if (!empty && space === 0) return null;
  const width = empty || space > 4 ? 1 : space;
  const ordered = number !== null;
  const text = dedent(rest, width);
  return { kind: line[end - 1], ordered, number, at, content: end + width, text, empty };
}

function list(lines, at, depth) {
  const first = markerOf(lines[at]);
  const items = [];
  let loose = false;
  let next = at;
  while (next < lines.length) {
    const marker = indent(lines[next]) < 4 ? markerOf(lines[next]) : null;
    if (!marker || marker.kind !== first.kind || isRule(lines[next].trim())) break;
    const item = itemAt(lines, next, marker, depth);
    const inner = blocks(item.lines, depth + 1);
    items.push(inner);
    next = item.next;
    // A blank line between two blocks of an item, or between two items, sets them all apart.
    loose ||= inner.length > 1 && inner.slice(1).some(({ start }) => isBlank(item.lines[start - 1]));
    let after = next;
    while (after < lines.length && isBlank(lines[after])) after += 1;
    const another = after < lines.length && indent(lines[after]) < 4 && markerOf(lines[after]);
    if (after === next) continue;
    if (!another || another.kind !== first.kind) break;
    loose = true;
    next = after;
  }
  return { kind: "list", ordered: first.ordered, first: first.number, loose, items, next };
}

function itemAt(lines, at, marker, depth) {
  const held = [marker.text];
  let next = at + 1;
  let blank = 0;
  let fence = fenceOf(held[0].trim());
  for (; next < lines.length; next += 1) {
    const line = lines[next];
    if (isBlank(line)) {
      blank += 1;
      continue;
    }
    const wide = indent(line);
    // Models indent by two below `1.` too, where CommonMark asks for three.
    const inside = wide >= marker.content || (!fence && wide >= marker.at + 2 && (markerOf(line) || fenceOf(line.trim())));
    const goesOn = !blank && !fence && !isBlank(held.at(-1)) && !interrupts(line, depth) && !markerOf(line);
    if (!inside && !goesOn) break;
    for (; blank; blank -= 1) held.push("");
    const text = dedent(line, Math.min(wide, marker.content));
    if (fence) fence = ends(text.trim(), fence) ? null : fence;
    else fence = fenceOf(text.trim());
    held.push(text);
  }
  return { lines: held, next: next - blank };
}

/** A table whose head is at `at`, or null; with `only` whether there is one. */
function tableAt(lines, at, only = false) {
  const line = lines[at];
  if (!line.includes("|") || at + 1 >= lines.length) return null;
  const align = alignments(lines[at + 1]);
  if (!align) return null;
  const head = cells(line);
  if (head.length !== align.length || (head.length === 1 && line.trim()[0] !== "|")) return null;
  if (only) return true;
  const rows = [];
  let next = at + 2;
  while (next < lines.length && lines[next].includes("|") && !isBlank(lines[next])) {
    rows.push(cells(lines[next], align.length));
    next += 1;
  }
  return { kind: "table", align, head, rows, next };
}

function alignments(line) {
  const text = line.trim();
  if (!text.includes("-") || text.length > 50 * COLUMNS || !/^[|:\- \t]*$/.test(text)) return null;
  const found = cells(line);
  if (found.length > COLUMNS || !found.every((cell) => /^:?-+:?$/.test(cell))) return null;
  return found.map((cell) => {
    if (cell.endsWith(":")) return cell.startsWith(":") ? "center" : "right";
    return "";
  });
}

/**
 * The cells of a row: bars divide, unless they are escaped or within code. What is beyond `most`
 * cells stands in the last one.
 */
function cells(line, most = COLUMNS + 1) {
  let text = line.trim();
  if (text.length > 1 && text.endsWith("|") && !text.endsWith("\\|")) text = text.slice(0, -1);
  const found = [];
  let begin = text[0] === "|" ? 1 : 0;
  let code = false;
  for (let at = begin; at < text.length && found.length < most - 1; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "`") code = !code && text.indexOf("`", at + 1) > 0;
    else if (text[at] === "|" && !code) {
      found.push(text.slice(begin, at).trim());
      begin = at + 1;
    }
  }
  found.push(text.slice(begin).trim());
  return found.map((cell) => cell.replaceAll("\\|", "|"));
}

function isBlank(line) {
  return line === undefined || blanks(line) === line.length;
}

/** Characters of white space at the beginning. */
function blanks(line) {
  let at = 0;
  while (line[at] === " " || line[at] === "\t" || line[at] === "\r") at += 1;
  return at;
}

/** Columns of white space at the beginning; tabs go to the next fourth. */
function indent(line) {
  let columns = 0;
  for (let at = 0; line[at] === " " || line[at] === "\t"; at += 1) {
    columns += line[at] === "\t" ? 4 - (columns % 4) : 1;
  }
  return columns;
}

/** `line` without its first `columns` of white space. */
function dedent(line, columns) {
  let at = 0;
  let gone = 0;
  while (gone < columns && (line[at] === " " || line[at] === "\t")) {
    gone += line[at] === "\t" ? 4 - (gone % 4) : 1;
    at += 1;
  }
  return " ".repeat(Math.max(0, gone - columns)) + line.slice(at);
}

function run(text, char) {
  let size = 0;
  while (text[size] === char) size += 1;
  return size;
}
