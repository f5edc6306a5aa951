// Requests that are being answered, and below them those that were answered last.

import { get } from "../lib/api.js";
import { copyButton } from "../lib/dialog.js";
import { h, keyed, say, set } from "../lib/dom.js";
import { ago, bytes, milliseconds, seconds, short, speed } from "../lib/format.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";

/** Rows of the list. */
const ROWS = 5;
/** Milliseconds after a request has ended, until those that ended are asked for. */
const SOON = 200;

/** `{element, show(overview)}`. */
export function requests(signal) {
  const list = h("ul", { class: "requests" });
  const more = h("p", { class: "quiet" });
  const command = h("code");
  const none = h(
    "div",
    { hidden: true },
    h("p", {}, "No request yet. Send one:"),
    h("div", { class: "first-command" }, h("pre", {}, command), copyButton(() => command.textContent)),
    h(
      "p",
      { class: "quiet" },
      h("code", {}, "llmstack connect"),
      " points a coding agent here; ",
      h("a", { href: "/ui/playground" }, "the playground"),
      " talks to a model at once.",
    ),
  );
  const element = h(
    "section",
    { class: "card" },
    h("div", { class: "row spread" }, h("h2", {}, "Requests"), h("a", { href: "/ui/activity" }, "All activity")),
    none,
    list,
    more,
  );
  let past = [];
  let known = false;
  let next = 0;

  function draw() {
    const now = [...live.state.inflight.values()].reverse();
    const shown = now.slice(0, ROWS);
    const rows = [
      ...shown.map((request) => ({ key: `now ${request.id}`, request, live: true })),
      ...past.slice(0, ROWS - shown.length).map((request) => ({ key: `past ${request.id}`, request })),
    ];
    keyed(list, rows, ({ key }) => key, item, update);
    more.hidden = now.length <= ROWS;
    say(more, `and ${now.length - ROWS} more are being answered`);
    none.hidden = !known || rows.length > 0;
  }

  async function ask() {
    try {
      const page = await get(`/api/metrics/activity?limit=${ROWS}`, { signal });
      past = page.data ?? page.rows ?? [];
      known = true;
      draw();
    } catch (error) {
      if (error.status !== 0) complain(error);
    }
  }

  live.on("inflight", draw, signal);
  live.on("renewed", ask, signal);
  live.on("activity", () => {
    clearTimeout(next); // several end together: they are asked for once
    next = setTimeout(ask, SOON);
  }, signal);
  signal.addEventListener("abort", () => clearTimeout(next));
  ask();

  function show(overview) {
    say(command, curl(overview));
    draw();
  }
  return { element, show };
}

function item() {
  return h(
    "li",
    {},
    h("span", { class: "badge" }),
    h("span", { class: "request-model" }),
    h("span", { class: "request-why quiet" }),
    h("span", { class: "request-facts" }),
  );
}

function update(li, { request, live: now }) {
  const [badge, model, why, facts] = li.children;
  set(li, "class", now && "live");
  const about = request.metadata ?? {};
  const failed = !now && (request.error_msg || request.resp_status_code >= 400);
  const ended = failed ? `failed ${request.resp_status_code || ""}`.trim() : "done";
  say(badge, now ? (request.phase ?? "answering") : ended);
  set(badge, "class", ["badge", now ? "good" : failed && "bad"]);
  say(model, request.model || request.tier || about.tier || "–");
  const client = request.client ?? about.client;
  const told = [request.reason ?? about.reason, client && `for ${client}`, request.req_path];
  say(why, told.filter(Boolean).slice(0, 2).join(" · "));
  say(facts, (now ? inFlight(request) : finished(request)).filter((fact) => fact && fact !== "–").join(" · "));
}

function inFlight(request) {
  request.began ??= Date.now() - request.elapsed_ms;
  const passed = Math.round((Date.now() - request.began) / 1000);
  return [request.resp_bytes > 0 && bytes(request.resp_bytes), seconds(passed)];
}

function finished({ tokens = {}, duration_ms: took, timestamp }) {
  const written = tokens.output_tokens > 0 && `${short(tokens.output_tokens)} tokens`;
  return [written, speed(tokens.tokens_per_second), took > 0 && milliseconds(took), ago(timestamp)];
}

/** A first request, to be pasted into a shell: nothing in a model's name is taken for a command. */
function curl({ auto, models }) {
  const model = auto ? "auto" : (models[0]?.id ?? "auto");
  const body = { model, messages: [{ role: "user", content: "Say hello." }] };
  const quoted = plain(JSON.stringify(body)).replaceAll("'", "\\u0027");
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const key = here ? "" : " -H 'authorization: Bearer YOUR_KEY'";
  return `curl ${location.origin}/v1/chat/completions -H 'content-type: application/json'${key} -d '${quoted}'`;
}

/** JSON without characters that a screen might show as others, or not at all. */
function plain(json) {
  return json.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
