// One model in full, in a dialog: how it is, what it is, and what it prints.

import { get, inPath } from "../lib/api.js";
import { copyButton, dialog } from "../lib/dialog.js";
import { fill, h, say, set } from "../lib/dom.js";
import { bytes, speed } from "../lib/format.js";
import * as live from "../lib/live.js";
import { address, follow } from "./logs-stream.js";
import { LogView } from "./logs-view.js";
import { actions } from "./models-actions.js";
import { contextPanel, policyPanel } from "./models-context.js";
import { onLoads } from "./models-loads.js";
import { AGAIN, YOUNG, isLocal } from "./models-rows.js";
import { badge, failureOf, memory, progress, ttl } from "./models-words.js";

/** Lines of its log that are shown. */
const TAIL = 200;

/**
 * Show the model `id` of `known` (see `models`) until the dialog is closed or `leaving` is aborted;
 * `closed()` is told.
 */
export function openDetails(id, known, leaving, closed) {
  const ending = new AbortController();
  const { signal } = ending;
  const row = known.one(id);
  if (!row) {
    const element = dialog(id, h("p", {}, "There is no such model now."));
    element.addEventListener("close", closed);
    return;
  }
  const local = isLocal(row);
  const state = h("span", { role: "status" });
  const since = h("span", { class: "quiet" });
  const buttons = actions(row);
  const failure = h("div", { class: "model-failure", role: "alert" });
  const facts = h("dl", { class: "facts" });
  const about = h("dl", { class: "model-pairs" });
  const context = h("section", { hidden: true });
  const policy = h("section", { hidden: true });
  const command = h("section", { hidden: true });
  const content = [
    h("div", { class: "row spread" }, h("div", { class: "row" }, state, since), buttons.element),
    failure,
    facts,
    about,
    context,
    policy,
    command,
  ];
  if (local) content.push(logSection(id, signal));
  const element = dialog(id, content);
  element.classList.add("model-details");
  element.addEventListener("close", () => {
    ending.abort();
    closed();
  });
  leaving.addEventListener("abort", () => element.close(), { signal });

  const ticking = setInterval(render, 500);
  let again = 0;
  signal.addEventListener("abort", () => {
    clearInterval(ticking);
    clearTimeout(again);
  });
  onLoads(render, signal);
  live.on("progress", (event) => event.model === id && event.state !== "starting" && ask(), signal);
  for (const kind of ["settings", "renewed"]) live.on(kind, ask, signal);
  let profiles = [];
  let hosted = null;
  render();
  ask();

  async function ask() {
    const base = `/api/model/${inPath(id)}`;
    // Only a stack's gateway has tiers that others host.
    const elsewhere = !local && live.state.overview?.kind === "stack";
    const [size, fitted, told, status] = await Promise.all([
      maybe(get(`${base}/ctxsize`, { signal })),
      maybe(get(`${base}/prompt-optimization`, { signal })),
      maybe(get("/api/profiles", { signal })),
      elsewhere ? maybe(get("/api/status", { signal })) : null,
    ]);
    if (signal.aborted) return;
    profiles = told?.profiles ?? [];
    hosted = status?.hosted?.find(({ name }) => name === id) ?? null;
    const now = known.one(id);
    clearTimeout(again);
    // A process tells its window a moment after it is ready.
    if (size?.actual === null && now?.state === "ready" && now.age < YOUNG) again = setTimeout(ask, AGAIN);
    if (size) contextPanel(context, id, size, ask);
    if (fitted) policyPanel(policy, id, fitted, ask);
    const line = size?.command ?? now?.command;
    command.hidden = !line;
    if (line && command.line !== line) {
      command.line = line;
      const copy = copyButton(() => line, "Copy the command");
      const head = h("div", { class: "row spread" }, h("h3", {}, "Command"), copy);
      fill(command, head, h("pre", { class: "model-command", tabindex: 0 }, line));
    }
    render();
  }

  function render() {
    const now = known.one(id);
    if (!now) {
      fill(state, "This model is no longer configured.");
      return;
    }
    const { text, kind } = badge(now);
    set(state, "class", ["badge", kind]);
    say(state, text);
    say(since, progress(now));
    buttons.update(now);
    const why = failureOf(now);
    failure.hidden = !why;
    if (why && failure.why !== why) fill(failure, h("h3", {}, "It did not start"), h("pre", { tabindex: 0 }, why));
    failure.why = why;
    pairs(facts, local ? numbers(now) : []);
    pairs(about, descriptions(now, { profiles, hosted }));
  }
}

function numbers(row) {
  return [
    ["In flight", String(row.in_flight ?? 0)],
    ["Waiting", String(row.waiting ?? 0)],
    ["Ends in", ttl(row)],
    [row.memory || !memory(row) ? "Memory" : "Memory, estimated", bytes(memory(row))],
    ...(row.speed === undefined ? [] : [["Speed", speed(row.speed)]]),
    ...(row.pid ? [["Process", String(row.pid)]] : []),
  ];
}

function descriptions(row, { profiles, hosted }) {
  const pinned = profiles.flatMap(({ id, pins }) =>
    Object.entries(pins)
      .filter(([, model]) => model === row.id || row.aliases?.includes(model))
      .map(([name]) => `${id}${id === live.state.profile ? " (active)" : ""}: answers ${name}`),
  );
  const pairs = [
    ["Name", row.name !== row.id && row.name],
    ["Description", row.description !== row.id && row.description],
    ["Also called", row.aliases?.join(", ")],
    ["Profiles", pinned.join("; ")],
    ["Runs at", !isLocal(row) && place(row, hosted)],
    ["Trouble", hosted?.why],
    ["If it fails", hosted?.fallback?.join(", ")],
    ["Time to live", row.ttl > 0 && `${row.ttl} s without a request`],
    ["Requests at once", row.concurrency_limit > 0 && String(row.concurrency_limit)],
    ["Listed", row.unlisted && "no"],
  ];
  return pairs.filter(([, text]) => text);
}

/** Where a model of others is, and what it is called there. */
function place(row, hosted) {
  const peer = row.peerID !== row.id && row.peerID;
  const model = hosted && hosted.model !== row.id && `as ${hosted.model}`;
  return [row.provider ?? "peer", peer, hosted?.where, model].filter(Boolean).join(", ");
}

/** Make `list` tell these names and texts, touching only what is new. */
export function pairs(list, told) {
  const names = told.map(([name]) => name).join("\n");
  if (list.names !== names) {
    list.names = names;
    fill(list, told.map(([name]) => h("div", {}, h("dt", {}, name), h("dd"))));
  }
  told.forEach(([, text], at) => say(list.children[at].lastChild, text));
  list.hidden = told.length === 0;
}

function logSection(id, signal) {
  const toEnd = h("button", { type: "button", hidden: true, onclick: () => view.follow() }, "↓ Go on following");
  const view = new LogView({
    label: `Log of ${id}`,
    most: TAIL,
    signal,
    changed: () => (toEnd.hidden = view.following),
  });
  view.element.classList.add("wraps", "log-tail");
  follow(address(id), { signal, take: (text) => view.take(text), gap: () => view.gap(), told: () => {} });
  const whole = h("a", { href: `/ui/logs?model=${encodeURIComponent(id)}` }, "The whole log");
  const buttons = h("div", { class: "row" }, toEnd, whole);
  return h("section", {}, h("div", { class: "row spread" }, h("h3", {}, "Log"), buttons), view.element);
}

/** What `work` answers; nothing if it fails: the engine may be one that does not tell this. */
async function maybe(work) {
  try {
    return await work;
  } catch {
    return null;
  }
}
