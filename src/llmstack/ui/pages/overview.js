// What is loaded, who is being answered, and what it costs: everything at one look.

import { chart } from "../lib/chart.js";
import { h, say } from "../lib/dom.js";
import { moment, seconds, speed as perSecond } from "../lib/format.js";
import { speed } from "../lib/history.js";
import * as live from "../lib/live.js";
import { budgets } from "./overview-budgets.js";
import { devices } from "./overview-devices.js";
import { models } from "./overview-models.js";
import { tiles } from "./overview-numbers.js";
import { requests } from "./overview-requests.js";

export const title = "Overview";

/** Seconds of speed that are drawn. */
const DRAWN = 600;

export async function show(main, { signal }) {
  const about = h("p", { class: "overview-about quiet" });
  const away = h("p", { class: "overview-away", hidden: true });
  const numbers = tiles();
  const pace = chart({ label: "Tokens per second, last 10 minutes", format: pacePerSecond, top: 10, height: 230 });
  const loaded = models();
  const parts = [devices(), loaded, requests(signal), budgets()];
  const [memory, , asked, spent] = parts.map(({ element }) => element);
  const chartCard = h("section", { class: "card" }, h("h2", {}, "Tokens per second"), pace.element);
  const rest = h(
    "div",
    { class: "overview-parts", hidden: true },
    numbers.element,
    h("div", { class: "overview-columns" }, loaded.element, h("div", { class: "overview-column" }, memory, spent), chartCard, asked),
  );
  const waiting = h("p", { class: "quiet" }, "Asking the daemon …");
  main.append(about, away, waiting, rest);

  function draw(overview) {
    if (!overview) return;
    waiting.hidden = true;
    rest.hidden = false;
    say(about, described(overview));
    numbers.show(overview);
    const since = overview.time - DRAWN;
    pace.show([{ name: "All models", area: true, points: speed.all.filter(([time]) => time >= since) }]);
    for (const part of parts) part.show(overview);
  }

  function connected() {
    away.hidden = live.state.connected || !live.state.overview;
    const when = moment(live.state.overview?.time);
    say(away, `llmstack does not answer. This is how it was at ${when}; the page tries again by itself.`);
  }

  live.on("overview", draw, signal);
  live.on("models", () => live.state.overview && loaded.show(live.state.overview), signal);
  live.on("connection", connected, signal);
  draw(live.state.overview);
  connected();
}

function described({ kind, version, uptime_s: uptime, channel }) {
  const what = kind === "swap" ? "llmstack swap" : "llmstack";
  const told = [`${what} ${version}`, channel && `channel ${channel}`, `up for ${seconds(Math.floor(uptime))}`];
  return told.filter(Boolean).join(" · ");
}

function pacePerSecond(value) {
  return value === 0 ? "0 t/s" : perSecond(value);
}
