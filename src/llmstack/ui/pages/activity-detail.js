// One request that has ended, with everything that is known of it.

import { get } from "../lib/api.js";
import { dialog } from "../lib/dialog.js";
import { append, fill, h } from "../lib/dom.js";
import { count, milliseconds, moment, speed, usd } from "../lib/format.js";
import { capturePart } from "./activity-capture.js";
import { statusBadge } from "./activity-columns.js";
import { contextPart } from "./activity-context.js";
import { timelineFigure } from "./activity-timeline.js";
import { inPlainWords } from "./routing-words.js";
import { tracePart, verdict } from "./routing-trace.js";

/** What a status means; the error's own words follow. */
const MEANINGS = {
  400: "The request was wrong.",
  401: "The request had no valid key.",
  403: "The key is not for this.",
  404: "There is no such model or route.",
  413: "The request was too large.",
  422: "The model's server found the request wrong.",
  429: "There were too many requests.",
  499: "The client left, or the request was cancelled, before the answer was complete.",
  500: "Something went wrong in the model's server or in llmstack.",
  502: "The model's process or its host failed.",
  503: "The model could not be asked.",
  504: "The model took too long.",
};

/** The daemon's reason where nothing was chosen. */
const NAMED = "named by the client";

/** Open request `id` at the side; `closed()` is called once it is closed. Returns the dialog. */
export function openRequest(id, signal, closed) {
  const here = new AbortController();
  const body = h("div", { class: "request" }, h("p", { class: "quiet" }, "Loading …"));
  const panel = dialog(`Request ${id}`, body);
  panel.classList.add("panel");
  panel.addEventListener("close", () => {
    here.abort();
    closed();
  });
  signal.addEventListener("abort", () => panel.close(), { signal: here.signal });
  load();
  return panel;

  async function load() {
    try {
      const options = { signal: here.signal };
      const found = await get(`/api/metrics/activity/${id}`, options);
      const ladder = found.decision && (await get("/api/ladder", options).catch(() => null));
      if (!here.signal.aborted) fill(body, parts(found, ladder, here.signal));
    } catch (error) {
      if (error.name === "AbortError") return;
      const again = h("button", { type: "button", onclick: load }, "Try again");
      fill(body, h("p", { class: "error", role: "alert" }, error.message), again);
    }
  }
}

function parts({ row, timeline, decision, context, has_capture: captured }, ladder, signal) {
  return [
    facts(row),
    failure(row),
    section("Timeline", timelineFigure(timeline ?? [], row, signal)),
    section("Why this tier", why(row, decision, ladder)),
    section("The prompt", contextPart(context, row.metadata, signal)),
    section("Request and answer", capturePart(row, captured, signal)),
  ];
}

function section(heading, content) {
  return h("section", {}, h("h3", {}, heading), content);
}

function facts(row) {
  const more = row.metadata ?? {};
  const tokens = row.tokens ?? {};
  const told = [
    ["Model", row.model],
    ["Status", statusBadge(row.resp_status_code)],
    ["Duration", milliseconds(row.duration_ms)],
    ["First token", milliseconds(more.ttft_ms)],
    ["Tokens in", count(tokens.input_tokens)],
    ["Cached", tokens.cache_tokens < 0 ? "–" : count(tokens.cache_tokens)],
    ["Tokens out", count(tokens.output_tokens)],
    ["Speed", speed(tokens.tokens_per_second)],
    more.cost_usd && ["Cost", `${usd(more.cost_usd)}${more.estimated ? " (estimated)" : ""}`],
    ["Ended", moment(row.timestamp)],
    ["Path", row.req_path],
    more.client && ["Client", only("client", more.client)],
    more.session && ["Session", only("session", more.session)],
    more.tier && ["Tier", only("tier", more.tier)],
    more.instead_of && ["Instead of", more.instead_of],
    more.backend && more.backend !== "local" && ["Answered by", more.backend],
  ];
  return h(
    "dl",
    { class: "facts" },
    told.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** A value that leads to all requests that have it. */
function only(name, value) {
  const query = new URLSearchParams({ [name]: value });
  return h("a", { href: `/ui/activity?${query}`, title: `All requests of ${name} ${value}` }, value);
}

function failure(row) {
  if (row.resp_status_code < 400 && !row.error_msg) return null;
  const box = h("section", { class: "what-failed" }, h("h3", {}, "What failed"));
  const meaning = MEANINGS[row.resp_status_code];
  if (row.resp_status_code >= 400) append(box, [h("p", {}, meaning ?? `Status ${row.resp_status_code}.`)]);
  if (row.error_msg) append(box, [h("pre", {}, row.error_msg)]);
  return box;
}

function why(row, decision, ladder) {
  const reason = row.metadata?.reason;
  if (decision) return [verdict(decision), inPlainWords(decision, ladder), tracePart(decision)];
  if (!reason || reason === NAMED) return h("p", {}, `The request named its model, ${row.model}: nothing was chosen.`);
  return [
    h("p", {}, `llmstack chose ${row.metadata?.tier || row.model}: ${reason}.`),
    h("p", { class: "quiet" }, "The rules that were tried are kept of the latest 500 requests, until the daemon stops."),
  ];
}
