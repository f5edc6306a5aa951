// Talk to the models, and try what else they do.

import { fill, h, set } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";
import { remember } from "../lib/router.js";
import { conversation } from "./playground-chat.js";
import { drawing } from "./playground-draw.js";
import { embedding } from "./playground-embed.js";
import { offers } from "./playground-models.js";
import { reranking } from "./playground-rerank.js";
import { choose } from "./playground-store.js";

export const title = "Playground";

/** Name in the address, label, which models, what shows it. */
const TABS = [
  ["chat", "Chat", () => true, conversation],
  ["embeddings", "Embeddings", ({ embeds }) => embeds, embedding],
  ["rerank", "Rerank", ({ reranks }) => reranks, reranking],
  ["images", "Images", ({ draws }) => draws, drawing],
];

export async function show(main, { signal, query }) {
  const place = h("div", { class: "play" }, h("p", { class: "quiet" }, "Asking which models there are…"));
  main.append(place);
  if (query.get("model")) choose({ model: query.get("model") });
  let names = ids();
  let known = "";
  live.on("renewed", () => load().catch(complain), signal);
  live.on("models", () => names !== ids() && load().catch(complain), signal);
  await load();

  async function load() {
    names = ids();
    const models = await offers(signal);
    if (signal.aborted || known === JSON.stringify(models)) return;
    known = JSON.stringify(models);
    const focused = document.activeElement?.id;
    tabs(place, models, query, signal);
    if (focused && focused !== document.activeElement?.id) document.getElementById(focused)?.focus();
  }
}

/** The models' names, which change when the configuration does. */
function ids() {
  return live.state.models.map(({ id }) => id).join("\n");
}

let shown = new AbortController();

/** Panels for what `models` offer. A new list of them takes the place of the one before. */
function tabs(place, models, query, signal) {
  shown.abort();
  shown = new AbortController();
  const life = AbortSignal.any([signal, shown.signal]);
  const offered = TABS.filter(([, , can]) => models.some(can));
  const missing = TABS.filter((tab) => !offered.includes(tab)).map(([, label]) => label);
  const panel = h("div", { id: "play-panel" });
  const buttons = offered.map(([name, label]) =>
    h("button", { type: "button", role: "tab", id: `play-tab-${name}`, "aria-controls": "play-panel", onclick: () => open(name) }, label),
  );
  const list = h("div", { class: "play-tabs", role: "tablist", "aria-label": "What to try" }, buttons);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = (at + step + buttons.length) % buttons.length;
    open(offered[next][0]);
    buttons[next].focus();
  });
  list.hidden = offered.length < 2;
  const none = h("p", { class: "quiet small play-none" }, `No model here offers ${listed(missing)}.`);
  none.hidden = missing.length === 0;
  const made = new Map();
  fill(place, list, panel);
  const wanted = query.get("tab");
  open(offered.some(([name]) => name === wanted) ? wanted : "chat");

  function open(name) {
    offered.forEach(([one], number) => {
      set(buttons[number], "aria-selected", String(one === name));
      buttons[number].tabIndex = one === name ? 0 : -1;
    });
    const [, , can, build] = offered.find(([one]) => one === name);
    if (!made.has(name)) made.set(name, build(models.filter(can), life, none));
    if (offered.length > 1) {
      set(panel, "role", "tabpanel");
      set(panel, "aria-labelledby", `play-tab-${name}`);
    }
    fill(panel, made.get(name).element);
    query.set("tab", name);
    remember({ tab: name === "chat" ? "" : name });
  }
}

function listed(labels) {
  const words = labels.map((label) => ({ Embeddings: "embeddings", Rerank: "reranking", Images: "images" })[label]);
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
