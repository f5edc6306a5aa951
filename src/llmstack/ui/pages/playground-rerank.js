// Documents in the order in which they answer a question.

import { h } from "../lib/dom.js";
import { field, linesOf, trial } from "./playground-try.js";

/** The panel for `models` that rerank, for as long as `signal` lives. */
export function reranking(models, signal) {
  const query = h("input", { type: "text" });
  const area = h("textarea", { rows: 6 });
  query.value = "What is a panda?";
  area.value = "The giant panda is a bear that lives in China.\nPaint dries faster in the sun.\nPandas eat bamboo.";
  let documents = [];
  return trial({
    models,
    signal,
    action: "Rank",
    path: "/v1/rerank",
    inputs: [field("Question", query, "rerank-query"), field("Documents, one per line", area, "rerank-documents")],
    body(model) {
      documents = linesOf(area);
      if (!query.value.trim() || !documents.length) throw new Error("Write a question and a document first.");
      return { model, query: query.value.trim(), documents };
    },
    result: (answer) => ranked(documents, answer.results ?? answer.data ?? []),
  });
}

function ranked(documents, results) {
  const scored = results
    .map(({ index, relevance_score: score }) => ({ text: documents[index], score: Number(score) }))
    .filter(({ text, score }) => text !== undefined && Number.isFinite(score))
    .sort((one, other) => other.score - one.score);
  if (!scored.length) throw new Error("The model sent no scores.");
  const scores = scored.map(({ score }) => score);
  const [most, least] = [Math.max(...scores), Math.min(0, ...scores)];
  return h(
    "ol",
    { class: "card ranked" },
    scored.map(({ text, score }) => {
      const share = most > least ? (score - least) / (most - least) : 1;
      const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: "series-1", style: { width: `${Math.round(share * 100)}%` } }));
      return h("li", {}, h("span", {}, text), h("span", { class: "score" }, bar, score.toFixed(3)));
    }),
  );
}
