// Images from words.

import { h } from "../lib/dom.js";
import { field, trial } from "./playground-try.js";

const SIZES = ["512x512", "768x768", "1024x1024", "1024x1536", "1536x1024"];
/** How the files begin, in base64. Others are not shown. */
const KINDS = { iVBORw0KGgo: "png", "/9j/": "jpeg", UklGR: "webp", R0lGOD: "gif" };

/** The panel for `models` that draw, for as long as `signal` lives. */
export function drawing(models, signal) {
  const prompt = h("textarea", { rows: 3 });
  const size = h("select", {}, SIZES.map((one) => h("option", { value: one }, one.replace("x", " × "))));
  const many = h("select", {}, [1, 2, 3, 4].map((one) => h("option", { value: one }, one)));
  let urls = [];
  const forget = () => urls.forEach((url) => URL.revokeObjectURL(url));
  signal.addEventListener("abort", forget);
  const choices = h("div", { class: "row" }, field("Size", size, "draw-size"), field("How many", many, "draw-many"));
  return trial({
    models,
    signal,
    action: "Draw",
    path: "/v1/images/generations",
    inputs: [field("What to draw", prompt, "draw-prompt"), choices],
    body(model) {
      if (!prompt.value.trim()) throw new Error("Say what to draw first.");
      return { model, prompt: prompt.value.trim(), size: size.value, n: Number(many.value), response_format: "b64_json" };
    },
    result(answer) {
      const files = (answer.data ?? []).map(({ b64_json: text }) => file(text)).filter(Boolean);
      if (!files.length) throw new Error("The model sent no image.");
      forget();
      urls = files.map(({ blob }) => URL.createObjectURL(blob));
      return h("div", { class: "drawn" }, files.map(({ kind }, at) => figure(urls[at], kind, prompt.value, at + 1)));
    },
  });
}

function file(text) {
  const [, kind] = Object.entries(KINDS).find(([begin]) => text?.startsWith(begin)) ?? [];
  if (!kind) return null;
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return { kind, blob: new Blob([bytes], { type: `image/${kind}` }) };
}

function figure(url, kind, prompt, number) {
  const link = h("a", { href: url, download: `image-${number}.${kind}`, class: "button" }, "Download");
  return h("figure", { class: "card" }, h("img", { src: url, alt: prompt }), h("figcaption", {}, link));
}
