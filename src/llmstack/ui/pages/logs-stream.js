// One log, followed: what it has and what comes, through restarts of the daemon.

import { inPath, send } from "../lib/api.js";
import * as live from "../lib/live.js";

/** Milliseconds after which a lost stream is tried again; the last one stays. */
const WAITS = [250, 500, 1000, 2000];
/** Milliseconds after which a hidden page lets go: browsers allow six connections to a server. */
const HIDDEN = 20_000;
/** Milliseconds in which a log's past has come. */
const PAST = 250;
/** Milliseconds after which others get a turn, however much has come. */
const TURN = 20;
/** Characters by which the past is known again. */
const TAIL = 400;

/** The address of a log's stream: `proxy`, `upstream`, or a model's. */
export function address(name) {
  return `/logs/stream/${inPath(name)}`;
}

/**
 * Follow the log at `path` until `signal` is aborted.
 *
 * `take(text)` gets what comes, `gap()` is told when lines may be missing, and `told(state, why)`
 * how it goes: `following`, `waiting` (it is tried again) or `refused` (until the daemon is back).
 */
export function follow(path, { signal, take, gap, told }) {
  let tail = null;
  let failures = 0;
  let timer = 0;
  let hiding = 0;
  let reading = null;

  const end = () => {
    clearTimeout(timer);
    clearTimeout(hiding);
    reading?.abort();
    reading = null;
  };
  signal.addEventListener("abort", end);
  live.on("renewed", read, signal);
  document.addEventListener("visibilitychange", seen, { signal });
  read();

  function seen() {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(end, HIDDEN);
    else if (!reading) read();
  }

  async function read() {
    end();
    const mine = (reading = new AbortController());
    try {
      const response = await send("GET", path, undefined, { signal: mine.signal });
      told("following");
      failures = 0;
      await pump(response.body, mine);
      throw new Error("ended");
    } catch (error) {
      if (mine.signal.aborted) return;
      reading = null;
      if (error.status >= 400 && error.status < 500) {
        told("refused", error.message);
        return;
      }
      told("waiting");
      const wait = WAITS[Math.min(failures, WAITS.length - 1)];
      failures += 1;
      if (!document.hidden) timer = setTimeout(read, wait);
    }
  }

  async function pump(body, mine) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    mine.signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
    let past = tail === null ? null : "";
    // The past comes again in every new stream; only what is new of it is taken.
    const settle = () => {
      if (past === null || mine.signal.aborted) return;
      const known = tail ? past.lastIndexOf(tail) : -1;
      if (tail && known < 0) gap();
      const fresh = known < 0 ? past : past.slice(known + tail.length);
      past = null;
      pass(fresh);
    };
    let since = performance.now();
    const settling = setTimeout(settle, PAST);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || mine.signal.aborted) return;
        if (past === null) pass(value);
        else past += value;
        if (performance.now() - since > TURN) {
          await new Promise((resolve) => setTimeout(resolve));
          since = performance.now();
        }
      }
    } finally {
      clearTimeout(settling);
      settle();
    }
  }

  function pass(text) {
    if (tail === null) tail = "";
    if (!text) return;
    tail = (tail + text).slice(-TAIL);
    take(text);
  }
}
