// Texts as vectors, and how alike they are.

import { h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { field, linesOf, trial } from "./playground-try.js";

/** Texts at once: the table grows with their square. */
const MOST = 24;

/** The panel for `models` that make vectors, for as long as `signal` lives. */
export function embedding(models, signal) {
  const area = h("textarea", { rows: 6 });
  area.value = "The cat sleeps on the sofa.\nA kitten naps on the couch.\nThe engine needs a new gearbox.";
  let texts = [];
  return trial({
    models,
    signal,
    action: "Compare",
    path: "/v1/embeddings",
    inputs: field("Texts, one per line", area, "embed-texts"),
    body(model) {
      texts = linesOf(area);
      if (!texts.length) throw new Error("Write a text first.");
      if (texts.length > MOST) throw new Error(`These are ${texts.length} texts; ${MOST} can be compared at once.`);
      return { model, input: texts, encoding_format: "float" };
    },
    result(answer) {
      const vectors = new Array(texts.length).fill(null);
      for (const [at, { index, embedding: vector }] of (answer.data ?? []).entries()) vectors[index ?? at] = vector;
      if (!vectors.every((vector) => Array.isArray(vector) && vector.length)) throw new Error("The model sent no vectors.");
      const tokens = answer.usage?.prompt_tokens;
      const facts = `${count(vectors[0].length)} dimensions${tokens ? `, ${count(tokens)} tokens` : ""}. 1.00 is the same direction.`;
      return [heat(texts, vectors), h("p", { class: "quiet small" }, facts)];
    },
  });
}

/** How alike each text is to each. Colour repeats what the numbers say. */
function heat(texts, vectors) {
  const units = vectors.map(unit);
  const head = h("tr", {}, h("td", {}), texts.map((text, at) => h("th", { scope: "col", class: "number", title: text }, at + 1)));
  const rows = texts.map((text, at) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", title: text }, `${at + 1}  ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`),
      units.map((other) => cell(dot(units[at], other))),
    ),
  );
  return h(
    "div",
    { class: "scrolls card", role: "region", "aria-label": "Similarities", tabindex: 0 },
    h("table", { class: "heat" }, h("caption", {}, "Similarity (cosine)"), h("thead", {}, head), h("tbody", {}, rows)),
  );
}

function cell(alike) {
  return h("td", { class: "number", style: { "--heat": `${Math.round(Math.max(0, alike) * 40)}%` } }, alike.toFixed(2));
}

function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return vector.map((one) => one / length);
}

function dot(one, other) {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0);
}
