// Shows markdown as elements while it is being written. Nothing is parsed as HTML, nothing loaded.

import { blocks } from "./blocks.js";
import { copyButton } from "./dialog.js";
import { h, say } from "./dom.js";
import { inline } from "./inline.js";

/** Headings of the page above an answer's first one, whatever its level is called there. */
const BELOW = 2;

/**
 * Shows a growing text in `host`. Only its last block is built again when more of it comes: what
 * stands before is final.
 */
export class Markdown {
  #host;
  #text = "";
  #settled = 0; // characters of the text whose blocks are final
  #final = 0; // nodes of the host that show them
  #level = null; // of the first heading that is final
  #code = null; // the only block that is not final, where it is code

  constructor(host) {
    this.#host = host;
  }

  /** Show `text`. With `open` it goes on later, and what is unfinished at its end looks finished. */
  show(text, open = false) {
    if (!text.startsWith(this.#text.slice(0, this.#settled))) this.#reset();
    this.#text = text;
    const raw = text.slice(this.#settled).split("\n");
    const found = blocks(raw.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)));
    if (this.#goesOn(found, open)) return;
    const headings = found.filter(({ kind }) => kind === "heading");
    const first = this.#level ?? headings[0]?.level;
    for (const heading of headings) heading.level = Math.max(1, heading.level - first + 1);
    while (this.#host.childNodes.length > this.#final) this.#host.lastChild.remove();
    const nodes = found.map((block) => build(block, open && block === found.at(-1)));
    this.#host.append(...nodes);
    // What a block is shows with its second line at the latest, if that is all there.
    const sure = found.findLastIndex(({ start }) => start < raw.length - 2);
    if (sure > 0) {
      for (const line of raw.slice(0, found[sure].start)) this.#settled += line.length + 1;
      this.#final += sure;
      if (headings[0]?.start < found[sure].start) this.#level = first;
    }
    const only = found.length - Math.max(sure, 0) === 1 ? found.at(-1) : null;
    this.#code = only?.kind === "code" ? { language: only.language, element: nodes.at(-1).querySelector("code") } : null;
  }

  /** Whether all that is new is more of the code that is shown last; it is added. */
  #goesOn(found, open) {
    const [block] = found;
    if (!this.#code || !open || found.length !== 1 || block.kind !== "code") return false;
    if (block.language !== this.#code.language) return false;
    say(this.#code.element, block.text);
    return true;
  }

  #reset() {
    this.#host.replaceChildren();
    [this.#settled, this.#final, this.#level, this.#code] = [0, 0, null, null];
  }
}

function build(block, open) {
  return builders[block.kind](block, open);
}

const builders = {
  heading: ({ level, text }, open) => h(`h${Math.min(level + BELOW, 6)}`, {}, inline(text, open)),
  paragraph: ({ text }, open) => h("p", {}, inline(text, open)),
  rule: () => h("hr"),
  quote: ({ blocks: inner }, open) => h("blockquote", {}, inner.map((block) => build(block, open && block === inner.at(-1)))),
  code,
  list,
  table,
};

function code({ language, text }) {
  const element = h("code", {}, text);
  const name = language || "text";
  return h(
    "div",
    { class: "code" },
    h("div", { class: "code-head" }, h("span", {}, name), copyButton(() => element.textContent, "Copy")),
    h("pre", { tabindex: 0, role: "group", "aria-label": `Code: ${name.slice(0, 60)}` }, element),
  );
}

function list({ ordered, first, loose, items }, open) {
  const shown = items.map((inner, number) => {
    const last = open && number === items.length - 1;
    return h(
      "li",
      {},
      inner.map((block) => {
        const goesOn = last && block === inner.at(-1);
        return block.kind === "paragraph" && !loose ? inline(block.text, goesOn) : build(block, goesOn);
      }),
    );
  });
  return ordered ? h("ol", { start: first === 1 ? null : first }, shown) : h("ul", {}, shown);
}

function table({ align, head, rows }, open) {
  const side = (column) => (align[column] ? `at-${align[column]}` : null);
  const row = (cells, tag, last) =>
    h("tr", {}, cells.map((text, column) => {
      const attributes = { class: side(column), scope: tag === "th" && "col" };
      return h(tag, attributes, inline(text, last && column === cells.length - 1));
    }));
  const body = rows.map((cells) => row(cells, "td", open && cells === rows.at(-1)));
  return h(
    "div",
    { class: "scrolls", role: "group", "aria-label": "Table", tabindex: 0 },
    h("table", {}, h("thead", {}, row(head, "th", false)), h("tbody", {}, body)),
  );
}
