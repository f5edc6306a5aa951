// A model's state in words.

import { seconds } from "../lib/format.js";
import { ending, failures, loads } from "./models-loads.js";
import { isLocal } from "./models-rows.js";

/** What a model is called. */
export function names(row) {
  return [row.id, row.name ?? "", ...(row.aliases ?? [])];
}

/** Why it did not start, or ended by itself; nothing while it runs. */
export function failureOf(row) {
  return row.state === "stopped" ? (failures.get(row.id) ?? row.failure ?? "") : "";
}

/** The state as a word: also `queued` and `failed`. */
export function stateOf(row) {
  const under = loads.get(row.id);
  if (under && row.state === "stopped") return under.stage === "starting" ? "starting" : "queued";
  return failureOf(row) ? "failed" : row.state;
}

/** How long it has been in this state, and where it waits. */
export function progress(row) {
  const under = loads.get(row.id);
  const state = stateOf(row);
  if (state === "queued") {
    const place = under.position > 0 ? `place ${under.position}, ` : "";
    return `${place}${seconds(Math.floor((Date.now() - under.begun) / 1000))}`;
  }
  if (ending.has(row.id) && row.in_flight > 0) return "ends when it has answered";
  return row.age === null || !row.state ? "" : `for ${seconds(Math.floor(row.age))}`;
}

/** What colours a state has, and what it says. */
export function badge(row) {
  const state = stateOf(row);
  if (isLocal(row)) {
    return { text: state, kind: { ready: "good", failed: "bad", stopped: "" }[state] ?? "warn" };
  }
  const where = row.provider ?? "peer";
  const kind = { ok: "good", down: "bad", unusable: "bad" }[row.state] ?? "";
  return { text: row.state ? `${where}: ${row.state}` : where, kind };
}

/** The time until it is stopped for being idle. */
export function ttl(row) {
  if (row.pinned) return "pinned";
  if (row.ttl_left !== null && row.ttl_left !== undefined) return seconds(Math.ceil(row.ttl_left));
  return row.state === "ready" && row.in_flight > 0 && row.ttl > 0 ? "in use" : "–";
}

/** Bytes that it takes, or is reckoned to take. */
export const memory = (row) => row.memory ?? row.footprint?.size ?? null;
