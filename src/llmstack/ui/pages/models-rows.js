// What is known of every model: events, `/api/models` and the overview, put together.

import { get } from "../lib/api.js";
import * as live from "../lib/live.js";

/** Milliseconds between two questions. */
const PAUSE = 300;
/** Seconds in which a ready process should have told its window; milliseconds to the next look. */
export const YOUNG = 10;
export const AGAIN = 700;

/** Whether the model runs here, so that it can be loaded and has a log. */
export function isLocal(row) {
  return !row.external && !row.peerID && (row.provider ?? "local") === "local";
}

/**
 * The models, until `signal` is aborted. `changed()` is told of every change.
 *
 * `all()` are rows of the event `modelStatus` with, for local models, what `/api/models` says of
 * them; `since` and `ttl_left` are of now.
 */
export function models(signal, changed) {
  const details = new Map();
  /** What changes by itself, by model, with the moment when it was told (seconds). */
  const pulse = new Map();
  let skew = 0;
  let timer = 0;
  let asking = false;

  for (const kind of ["models", "renewed", "settings", "profile"]) live.on(kind, soon, signal);
  live.on("inflight", () => live.state.overview ?? soon(), signal); // the overview counts them too
  live.on("models", changed, signal);
  live.on("progress", began, signal);
  live.on("overview", beat, signal);
  live.on("overview", changed, signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  // Not at once: who is told does not have what this returns yet.
  if (live.state.overview) queueMicrotask(() => beat(live.state.overview));

  function soon() {
    timer ||= setTimeout(ask, PAUSE);
  }

  function untold({ state, since, context }) {
    return state === "ready" && context?.served === null && now() - since < YOUNG;
  }

  async function ask() {
    timer = 0;
    if (asking) return soon();
    asking = true;
    try {
      await refresh();
    } catch {
      // The frame says that the daemon is away, and what is known stays.
    } finally {
      asking = false;
    }
    return undefined;
  }

  async function refresh() {
    const told = await get("/api/models", { signal });
    details.clear();
    for (const row of told.models) {
      details.set(row.id, row);
      felt(row, row.queue_length);
    }
    if (told.models.some(untold)) timer ||= setTimeout(ask, AGAIN);
    changed();
  }

  function began({ model }) {
    pulse.set(model, { ...pulse.get(model), since: now() });
    soon();
    changed();
  }

  function beat({ time, models: rows }) {
    if (time) skew = time - Date.now() / 1000;
    for (const row of rows ?? []) felt(row, row.waiting);
  }

  function felt({ id, since, in_flight, ttl_left, memory, tokens_per_second }, waiting) {
    const known = { ...pulse.get(id), since, in_flight, waiting, ttl_left, memory, at: now() };
    if (tokens_per_second !== undefined) known.speed = tokens_per_second;
    pulse.set(id, known);
  }

  function now() {
    return Date.now() / 1000 + skew;
  }

  function whole(status) {
    const known = pulse.get(status.id) ?? {};
    const row = { ...details.get(status.id), ...status, ...known };
    row.pinned = details.get(status.id)?.pinned;
    row.age = row.since ? Math.max(0, now() - row.since) : null;
    if (known.ttl_left !== undefined && known.ttl_left !== null) {
      row.ttl_left = Math.max(0, known.ttl_left - (now() - known.at));
    }
    return row;
  }

  return {
    refresh,
    all: () => live.state.models.map(whole),
    one(id) {
      const status = live.state.models.find((row) => row.id === id);
      return status && whole(status);
    },
  };
}
