// Loading, unloading and pinning. What is under way outlives the page.

import { ApiError, get, inPath, post, send } from "../lib/api.js";
import { dialog } from "../lib/dialog.js";
import { h } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { attempt, complain, tell } from "../lib/notice.js";

/** Loads that are asked for at once: browsers allow six connections to a server. */
const AT_ONCE = 2;

/** By model: `{stage, position, begun, leave()}`; stages are `asking`, `queued`, `starting`. */
export const loads = new Map();
/** Models that end when they have answered, because we asked for it. */
export const ending = new Set();
/** By model: why it did not start, or ended by itself, until it starts again. */
export const failures = new Map();

const target = new EventTarget();
const waiting = [];
let open = 0;

live.on("renewed", () => failures.clear());
live.on("progress", (event) => {
  if (event.what === "failed" || event.what === "crashed") {
    failures.set(event.model, event.error ?? "its process ended by itself");
  } else if (event.state !== "stopped") {
    failures.delete(event.model);
  }
  changed();
});

/** Call `listener` when loads or failures have changed, until `signal` is aborted. */
export function onLoads(listener, signal) {
  target.addEventListener("changed", listener, { signal });
}

/** Load `model`; `loads` tells how it goes. */
export async function load(model) {
  if (loads.has(model)) return;
  const leaving = new AbortController();
  loads.set(model, { stage: "asking", begun: Date.now(), leave: () => leaving.abort() });
  failures.delete(model);
  changed();
  try {
    await turn(leaving.signal);
    try {
      await follow(model, leaving.signal);
    } finally {
      open -= 1;
      waiting.shift()?.();
    }
  } catch (error) {
    if (error.name !== "AbortError") {
      failures.set(model, error.message);
      const [what] = error.message.split("\n");
      complain(what.startsWith(model) ? what : `${model}: ${what}`);
    }
  } finally {
    loads.delete(model);
    changed();
  }
}

/** Stop `model`; asks first if it is answering somebody. */
export function unload(model) {
  return attempt(async () => {
    const force = await ask(await running(model), `Unload ${model}`);
    if (force === null) return;
    ending.add(model);
    changed();
    try {
      await post(`/api/models/unload/${inPath(model)}${force ? "?force=1" : ""}`);
    } finally {
      ending.delete(model);
      changed();
    }
  });
}

/** Stop all models; asks first if requests run. */
export function unloadAll() {
  return attempt(async () => {
    const force = await ask(await running(), "Unload all models");
    if (force === null) return;
    await post(`/api/models/unload${force ? "?force=1" : ""}`);
    tell("All models are unloaded.");
  });
}

/** How many requests run now, of one model or of all. */
async function running(model) {
  const { models } = await get("/api/models");
  const asked = models.filter(({ id }) => model === undefined || id === model);
  return asked.reduce((sum, row) => sum + row.in_flight, 0);
}

/** Keep `model` loaded, or no longer. Throws what the daemon says against it. */
export async function pin(model, pinned) {
  await post(`/api/model/${inPath(model)}/pin`, { pinned });
}

/** Wait until few enough loads are under way; the caller gives its turn back. */
async function turn(signal) {
  if (open >= AT_ONCE) {
    await new Promise((resolve, reject) => {
      waiting.push(resolve);
      signal.addEventListener("abort", () => {
        const place = waiting.indexOf(resolve);
        if (place >= 0) waiting.splice(place, 1);
        reject(signal.reason);
      });
    });
  }
  open += 1;
}

async function follow(model, signal) {
  const headers = { accept: "text/event-stream" };
  const response = await send("POST", `/api/models/load/${inPath(model)}`, undefined, { signal, headers });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new ApiError(0, "llmstack ended before it was loaded.");
    text += value;
    const frames = text.split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const step = JSON.parse(frame.replace(/^data: /, ""));
      if (step.stage === "ready") return;
      if (step.stage === "failed") throw new ApiError(500, step.error);
      loads.set(model, { ...loads.get(model), stage: step.stage, position: step.queue_position });
      changed();
    }
  }
}

/** How to stop while `running` requests do: true at once, false after them, null not at all. */
function ask(running, title) {
  if (running === 0) return false;
  return new Promise((resolve) => {
    const button = (text, answer, kind) =>
      h("button", { type: "button", class: kind, onclick: () => element.close(answer) }, text);
    const requests = running === 1 ? "One request is" : `${running} requests are`;
    const what = `${requests} being answered. Unloading waits for the answer, or cuts it off.`;
    const element = dialog(title, h("p", {}, what), [
      button("Cancel", ""),
      button("Cut off now", "force", "danger"),
      button("Unload afterwards", "wait", "primary"),
    ]);
    element.addEventListener("close", () => {
      const answer = element.returnValue;
      resolve(answer === "force" ? true : answer === "wait" ? false : null);
    });
  });
}

function changed() {
  target.dispatchEvent(new Event("changed"));
}
