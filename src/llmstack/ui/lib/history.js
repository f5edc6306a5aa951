// Tokens per second of the last hour, as the event stream told them while this page was open.

import * as live from "./live.js";

/** Seconds that are kept. */
const KEPT = 3600;
/** Seconds by which a clock may differ from itself. */
const BACK = 60;
/** Models whose lines are kept; more cannot be told apart. */
const MODELS = 6;

/** `[seconds since the epoch, tokens per second]` of all models together, and of each that has worked. */
export const speed = { all: [], models: new Map() };

live.on("overview", ({ time, tokens_per_second: all, models }) => {
  const last = speed.all.at(-1)?.[0] ?? 0;
  if (time < last - BACK) {
    // The daemon's clock was set back: what came before would be drawn beside what comes.
    speed.all.length = 0;
    speed.models.clear();
  } else if (time <= last) {
    return;
  }
  add(speed.all, time, all);
  for (const { id, tokens_per_second: own } of models ?? []) {
    if (own > 0 && !speed.models.has(id) && speed.models.size < MODELS) speed.models.set(id, []);
    if (speed.models.has(id)) add(speed.models.get(id), time, own);
  }
  for (const [id, points] of speed.models) {
    if (points.at(-1)[0] < time - KEPT) speed.models.delete(id);
  }
});

function add(points, time, value) {
  points.push([time, value]);
  while (points[0][0] < time - KEPT) points.shift();
}
