// The requests that run now: their phases, ages and sizes, counting.

import { inPath, post } from "../lib/api.js";
import { h, say, svg } from "../lib/dom.js";
import { bytes, count, milliseconds, speed } from "../lib/format.js";
import * as live from "../lib/live.js";
import { attempt, tell } from "../lib/notice.js";
import { table } from "../lib/table.js";
import { phaseClass, phaseName } from "./activity-timeline.js";

/** Milliseconds between two looks at the ages. */
const EVERY = 250;

/** How far this browser's clock is ahead of the daemon's, in milliseconds. */
let ahead = 0;

/** The section. It lives until `signal` is aborted. */
export function liveRequests(signal) {
  const heading = h("h2", { id: "activity-live" }, "Running");
  const rows = table({
    label: "Running requests",
    columns: COLUMNS,
    key: (request) => String(request.id),
    empty: "No request is running.",
  });
  live.on("overview", ({ time }) => (ahead = Date.now() - time * 1000), signal);
  live.on("inflight", show, signal);
  live.on("connection", show, signal);
  const timer = setInterval(() => live.state.inflight.size > 0 && show(), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  show();
  return h("section", { class: "card live", "aria-labelledby": "activity-live" }, heading, rows.element);

  function show() {
    const requests = [...live.state.inflight.values()].sort((one, other) => one.id - other.id);
    rows.show(requests);
    say(heading, requests.length > 0 ? `Running (${requests.length})` : "Running");
  }
}

const COLUMNS = [
  {
    id: "model",
    label: "Tier or model",
    cell: ({ tier, model }) => (!tier || tier === model ? model || "–" : `${tier}: ${model}`),
  },
  {
    id: "phase",
    label: "Phase",
    cell(request, td) {
      if (!td.firstChild) td.append(h("span", { class: "badge" }), " ", h("span", { class: "lasts" }), h("div", { class: "phases" }));
      const [badge, age, drawn] = td.children;
      const [latest, lasted] = latestPhase(request);
      badge.className = `badge ${latest === "generating" ? "good" : "warn"}`;
      say(badge, phaseName(latest));
      say(age, lasted === null ? "" : milliseconds(lasted));
      drawn.replaceChildren(phases(request));
    },
  },
  { id: "age", label: "Age", numeric: true, cell: (request) => milliseconds(ageOf(request)) },
  {
    id: "got",
    label: "Received",
    numeric: true,
    cell: (request) =>
      request.tokens ? `${count(request.tokens)} tokens, ${bytes(request.resp_bytes)}` : bytes(request.resp_bytes),
  },
  { id: "speed", label: "Speed now", numeric: true, cell: speedOf },
  { id: "client", label: "Client", cell: (request) => request.client || request.metadata?.client || request.remote_ip || "–" },
  { id: "session", label: "Session", cell: (request) => request.session || request.metadata?.session || "–" },
  { id: "reason", label: "Reason", cell: (request) => request.reason || "–" },
  {
    id: "cancel",
    label: "End",
    cell(request, td) {
      if (td.firstChild) return undefined;
      const label = `Cancel request ${request.id} to ${request.model}`;
      return h("button", { type: "button", class: "danger", "aria-label": label, onclick: () => cancel(request) }, "Cancel");
    },
  },
];

async function cancel({ id, model }) {
  await attempt(async () => {
    await post(`/api/inflight/${inPath(String(id))}/cancel`);
    tell(`The request to ${model} is cancelled.`);
  });
}

/** Milliseconds since the request came. */
function ageOf(request) {
  const began = Date.parse(request.timestamp);
  if (Number.isNaN(began)) return request.elapsed_ms;
  return Math.max(Date.now() - ahead - began, request.elapsed_ms ?? 0);
}

/** The phase that a request is in, and for how long, in milliseconds. */
function latestPhase(request) {
  const last = request.timeline?.at(-1);
  const phase = request.phase ?? last?.phase ?? (request.resp_bytes > 0 ? "generating" : "waiting");
  return [phase, last ? Math.max(ageOf(request) - last.start_ms, 0) : null];
}

/** The phases so far as a strip. What it shows is said beside it. */
function phases(request) {
  const age = Math.max(ageOf(request), 1);
  const share = (value) => `${((100 * value) / age).toFixed(2)}%`;
  const parts = (request.timeline ?? []).map(({ phase, start_ms: start }, place, all) => {
    const end = all[place + 1]?.start_ms ?? age;
    return svg("rect", { class: phaseClass(phase), x: share(start), width: share(Math.max(end - start, 0)), height: 6 });
  });
  return svg("svg", { width: "100%", height: 6, "aria-hidden": "true" }, parts);
}

/** The speed of the model that answers, which several requests may share. */
function speedOf(request) {
  const row = live.state.overview?.models?.find(({ id }) => id === request.model);
  if (!row || !(row.tokens_per_second > 0)) return speed(null);
  return row.in_flight > 1 ? `${speed(row.tokens_per_second)} for ${row.in_flight}` : speed(row.tokens_per_second);
}
