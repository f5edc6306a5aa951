// Logs of the gateway, of the engine, and of each model.

import { fill, h, say, set } from "../lib/dom.js";
import { count } from "../lib/format.js";
import * as live from "../lib/live.js";
import { remember } from "../lib/router.js";
import { matcher } from "./logs-lines.js";
import { address, follow } from "./logs-stream.js";
import { LogView } from "./logs-view.js";
import { isLocal } from "./models-rows.js";

export const title = "Logs";

const OWN = [
  ["proxy", "Gateway"],
  ["upstream", "Engine: all models"],
];
/** What the choice of a model's log begins with. */
const MODEL = "model:";
const STATES = { following: "Live.", waiting: "Not connected, trying again." };
/** Milliseconds without a key after which a filter is used. */
const TYPED = 150;

export async function show(main, { signal, query }) {
  let leaving = new AbortController();
  let view = null;
  let state = "waiting";
  let refused = "";
  let typing = 0;

  const source = h("select", { onchange: open });
  const wanted = h("input", { type: "search", value: query.get("filter"), oninput: typed, spellcheck: "false" });
  const regex = box("Regular expression", query.has("regex"), refilter);
  const exact = box("Match case", query.has("case"), refilter);
  const wrap = box("Wrap lines", localStorage.getItem("log-wrap") !== "no", rewrap);
  const wrong = h("p", { class: "error", id: "log-filter-error", role: "alert" });
  const pause = h("button", { type: "button", onclick: () => view.pause(!view.paused) }, "Pause");
  const clear = h("button", { type: "button", onclick: () => view.clear() }, "Clear");
  const save = h("button", { type: "button", onclick: download }, "Download");
  const toEnd = h(
    "button",
    { type: "button", class: "primary log-to-end", hidden: true, onclick: () => view.follow() },
    "↓ Go on following",
  );
  const told = h("span");
  const status = h("span", { role: "status" });
  const dropped = h("p", { class: "quiet log-told", hidden: true });
  const frame = h("div", { class: "log-frame" });

  main.append(
    h(
      "div",
      { class: "row ends log-tools" },
      h("label", { class: "field" }, h("span", { class: "label" }, "Log of"), source),
      h("label", { class: "field grows" }, h("span", { class: "label" }, "Show only lines with"), wanted),
      h("div", { class: "row" }, regex.element, exact.element, wrap.element),
      h("div", { class: "row" }, pause, clear, save),
    ),
    wrong,
    dropped,
    frame,
    h("p", { class: "quiet log-told" }, told, " ", status),
  );
  live.on("models", offer, signal);
  signal.addEventListener("abort", () => {
    leaving.abort();
    clearTimeout(typing);
  });
  offer(live.state.models);
  source.value = chosen(query);
  if (!source.value) {
    source.append(option(query.get("model")));
    source.value = chosen(query);
  }
  open();

  /** Offer the models that there are, and the one that is shown even if it is no more. */
  function offer(models) {
    const names = models.filter(isLocal).map(({ id }) => id);
    const shown = modelOf(source.value);
    if (shown !== null && !names.includes(shown)) names.push(shown);
    if (source.names && names.join("\n") === source.names.join("\n")) return;
    source.names = names;
    const { value } = source;
    const own = OWN.map(([name, text]) => h("option", { value: name }, text));
    fill(source, own, names.length > 0 && h("optgroup", { label: "Models" }, names.map(option)));
    source.value = value || "proxy";
  }

  function open() {
    leaving.abort();
    leaving = new AbortController();
    const name = modelOf(source.value) ?? source.value;
    const label = source.selectedOptions[0].textContent;
    refused = "";
    view = new LogView({ label: `Log: ${label}`, signal: leaving.signal, changed: tell });
    fill(frame, view.element, toEnd);
    rewrap();
    refilter();
    follow(address(name), {
      signal: leaving.signal,
      take: (text) => view.take(text),
      gap: () => view.gap(),
      told(now, why = "") {
        [state, refused] = [now, why];
        tell();
      },
    });
  }

  function typed() {
    clearTimeout(typing);
    typing = setTimeout(refilter, TYPED);
  }

  function refilter() {
    let match = null;
    let problem = "";
    try {
      match = matcher(wanted.value, { regex: regex.checked, exact: exact.checked });
    } catch (error) {
      problem = `This is no regular expression: ${error.message.split(": ").at(-1)}.`;
    }
    set(wanted, "aria-invalid", problem ? "true" : null);
    set(wanted, "aria-describedby", problem ? wrong.id : null);
    say(wrong, problem);
    if (!problem && (match || view.match)) view.filter(match);
    const model = modelOf(source.value);
    const [kind, name] = model === null ? ["source", source.value] : ["model", model];
    remember({ [kind]: name, filter: wanted.value, regex: regex.checked ? "1" : "", case: exact.checked ? "1" : "" });
  }

  function rewrap() {
    localStorage.setItem("log-wrap", wrap.checked ? "yes" : "no");
    view.element.classList.toggle("wraps", wrap.checked);
  }

  function download() {
    const link = h("a", { download: `llmstack-${source.value.replace(/[^\w.-]+/g, "_")}.log` });
    link.href = URL.createObjectURL(new Blob([view.lines.text()], { type: "text/plain" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function tell() {
    const { lines, shown } = view;
    const waiting = lines.next - view.pausedAt;
    say(pause, view.paused ? (waiting > 0 ? `Continue (${count(waiting)} new)` : "Continue") : "Pause");
    set(pause, "aria-pressed", String(view.paused));
    toEnd.hidden = view.following;
    const kept = lines.kept.length;
    const lot = view.match ? `${count(shown)} of ${count(kept)} lines` : `${count(kept)} lines`;
    say(told, `${lot}.`);
    say(status, refused || (view.paused ? "Paused." : STATES[state]));
    status.classList.toggle("error", Boolean(refused));
    dropped.hidden = lines.dropped === 0;
    const why = "older lines were dropped, so that the page stays quick.";
    if (lines.dropped) say(dropped, `${count(lines.dropped)} ${why}`);
  }
}

function option(model) {
  return h("option", { value: MODEL + model }, model);
}

/** The model whose log a choice is; null for the logs of ours. */
function modelOf(choice) {
  return choice.startsWith(MODEL) ? choice.slice(MODEL.length) : null;
}

function chosen(query) {
  if (query.get("model")) return MODEL + query.get("model");
  return query.get("source") === "upstream" ? "upstream" : "proxy";
}

function box(text, checked, changed) {
  const input = h("input", { type: "checkbox", checked, onchange: changed });
  return {
    element: h("label", { class: "log-check" }, input, " ", text),
    get checked() {
      return input.checked;
    },
  };
}
