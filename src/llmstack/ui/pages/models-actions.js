// The buttons of a model: load, unload, cancel, pin.

import { h, say, set } from "../lib/dom.js";
import { attempt } from "../lib/notice.js";
import { ending, load, loads, pin, unload } from "./models-loads.js";
import { isLocal } from "./models-rows.js";
import { stateOf } from "./models-words.js";

/** The buttons of a model. */
export function actions(first) {
  let row = first;
  const main = h("button", { type: "button", onclick: () => act(row) });
  const change = () => attempt(() => pin(row.id, !row.pinned));
  const pinned = h("button", { type: "button", class: "model-pin", onclick: change }, "Pin");
  return {
    element: h("div", { class: "row model-actions" }, main, pinned),
    update(now) {
      row = now;
      const what = verb(row);
      main.hidden = !isLocal(row);
      pinned.hidden = !isLocal(row) || typeof row.pinned !== "boolean";
      say(main, what);
      set(main, "aria-label", `${what} ${row.id}`);
      set(main, "disabled", what === "Stopping");
      set(pinned, "aria-pressed", String(Boolean(row.pinned)));
      set(pinned, "aria-label", `Pin ${row.id}`);
      set(pinned, "title", row.pinned ? "Stays until it is unloaded." : "Keep it: not evicted, no time to live.");
    },
  };
}

function verb(row) {
  const state = stateOf(row);
  if (state === "queued") return "Cancel";
  if (state === "stopping" || (state === "ready" && ending.has(row.id))) {
    return row.in_flight > 0 ? "End now" : "Stopping";
  }
  return state === "ready" || state === "starting" ? "Unload" : "Load";
}

function act(row) {
  const what = verb(row);
  if (what === "Load") return load(row.id);
  if (what === "Cancel") return loads.get(row.id)?.leave();
  return unload(row.id);
}
