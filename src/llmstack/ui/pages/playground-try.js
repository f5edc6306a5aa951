// What the panels beside the chat have in common: a form, a model, one request at a time.

import { post } from "../lib/api.js";
import { fill, h, say } from "../lib/dom.js";
import { seconds } from "../lib/format.js";
import { picker } from "./playground-picker.js";

/**
 * A panel with `inputs` that asks one of `models`: POST to `path` of what `body(model)` returns, or
 * throws an Error about; `result(answer)` are the nodes that show it. `action` is what the button
 * says.
 */
export function trial({ models, inputs, path, body, result, action, signal }) {
  const choice = picker({ models, label: "Model" });
  const go = h("button", { type: "submit", class: "primary" }, action);
  const stop = h("button", { type: "button", class: "danger", hidden: true, onclick: () => running?.abort() }, "Stop");
  const status = h("p", { class: "quiet", role: "status" });
  const shown = h("div", { class: "trial-result" });
  const form = h("form", { class: "card trial" }, choice.element, inputs, h("div", { class: "row" }, go, stop, status));
  let running = null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running) run();
  });
  signal.addEventListener("abort", () => running?.abort());
  return { element: h("div", { class: "play-trial" }, form, shown) };

  async function run() {
    const began = performance.now();
    running = new AbortController();
    go.disabled = true;
    stop.hidden = false;
    status.className = "quiet";
    const clock = setInterval(() => say(status, `Waiting for ${choice.value()} – ${seconds(passed(began))}`), 1000);
    try {
      const answer = await post(path, body(choice.value()), { signal: running.signal });
      fill(shown, result(answer));
      say(status, `${choice.value()} answered in ${seconds((performance.now() - began) / 1000)}.`);
    } catch (error) {
      status.className = error.name === "AbortError" ? "quiet" : "error";
      say(status, error.name === "AbortError" ? "Stopped." : error.message);
    }
    clearInterval(clock);
    running = null;
    go.disabled = false;
    stop.hidden = true;
  }
}

/** A labelled input below the others. */
export function field(label, input, id) {
  input.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), input);
}

/** What stands in the lines of a text area. */
export function linesOf(area) {
  return area.value.split("\n").map((line) => line.trim()).filter(Boolean);
}

function passed(began) {
  return Math.floor((performance.now() - began) / 1000);
}
