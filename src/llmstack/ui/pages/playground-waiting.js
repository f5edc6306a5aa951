// Why nothing comes yet.

import { seconds } from "../lib/format.js";
import * as live from "../lib/live.js";
import { chat } from "./playground-store.js";

const PHASES = { queued: "waits in the queue", loading: "is being loaded", prefill: "reads the prompt", generating: "begins to write" };
const STATES = { starting: "is being loaded", stopping: "is being stopped, to be loaded anew", ready: "reads the prompt" };

/** What `message` waits for, in words; empty if it does not. */
export function waiting(message) {
  if (message.state !== "waiting") return "";
  const request = ours();
  const model = request?.model || message.model || message.asked;
  const row = live.state.models.find(({ id, aliases }) => id === model || aliases?.includes(model));
  const what = PHASES[request?.phase] ?? STATES[row?.state] ?? (row ? "waits to be loaded" : "has not answered yet");
  const passed = (Date.now() - message.since) / 1000;
  return `${model} ${what}${passed >= 1 ? ` – ${seconds(Math.floor(passed))}` : "…"}`;
}

/** Our request among those that are being served. */
function ours() {
  const session = `playground-${chat.session}`;
  for (const request of live.state.inflight.values()) {
    const headers = request.req_headers ?? {};
    if (Object.entries(headers).some(([name, value]) => name.toLowerCase() === "x-session-id" && value === session)) return request;
  }
  return null;
}
