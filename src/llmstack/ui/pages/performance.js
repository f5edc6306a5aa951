import { ApiError, get } from "../lib/api.js";
import { chart } from "../lib/chart.js";
import { fill, h } from "../lib/dom.js";
import { bytes, percent, speed as perSecond } from "../lib/format.js";
import { speed } from "../lib/history.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";
import { modelNumbers } from "./performance-models.js";
import { samples } from "./performance-samples.js";

export const title = "Performance";

/** Milliseconds between two looks: the daemon's own distance between samples. */
const EVERY = 5000;

export async function show(main, { signal }) {
  const talk = chart({ label: "Tokens per second", format: perSecondOrNone, top: 10, height: 190 });
  const cpu = chart({ label: "Processor", format: hundredths, top: 100 });
  const memory = chart({ label: "Memory", format: bytes, base: 2 });
  const gpus = h("div", { class: "cards performance-cards" });
  const off = h("p", { class: "quiet", hidden: true });
  const machine = h("div", { class: "cards performance-cards" }, card("Processor", cpu), card("Memory", memory));
  const models = modelNumbers();
  main.append(
    card("Tokens per second", talk, "Of all models and of each, since this page was opened: an hour at most."),
    off,
    machine,
    gpus,
    models.element,
  );

  const drawSpeed = () => talk.show(speedLines());
  live.on("overview", drawSpeed, signal);
  drawSpeed();

  const cards = new Map();
  function drawMachine() {
    cpu.show(samples.cpu());
    memory.show(samples.memory(), { top: samples.size() });
    for (const { key, heading, lines, top, ...options } of samples.gpus()) {
      if (!cards.has(key)) {
        const one = chart({ label: heading, ...options });
        cards.set(key, one);
        gpus.append(card(heading, one));
      }
      cards.get(key).show(lines, { top });
    }
  }

  async function look() {
    try {
      await samples.renew(signal);
      off.hidden = true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 503) throw error;
      const key = h("code", {}, "performance: disabled");
      fill(off, "The machine's samples are switched off: ", key, " in the configuration.");
      off.hidden = false;
    }
    machine.hidden = !off.hidden;
    drawMachine();
    models.show(await get("/metrics", { signal }));
  }

  let next = 0;
  async function again() {
    clearTimeout(next);
    try {
      if (!document.hidden) await look();
    } catch (error) {
      // Away for a while: the frame says so, and the charts show a gap.
      if (error.name !== "AbortError" && error.status !== 0) complain(error);
    }
    if (!signal.aborted) next = setTimeout(again, EVERY);
  }
  live.on("renewed", again, signal);
  signal.addEventListener("abort", () => clearTimeout(next));
  drawMachine();
  await again();
}

function speedLines() {
  const models = [...speed.models].map(([name, points]) => ({ name, points }));
  const all = { name: "All models", points: speed.all, area: true };
  return models.length > 1 ? [all, ...models] : [all];
}

function hundredths(value) {
  return percent(value === null ? null : value / 100);
}

function perSecondOrNone(value) {
  return value === 0 ? "0 t/s" : perSecond(value);
}

function card(heading, drawn, about) {
  const more = about && h("p", { class: "quiet" }, about);
  return h("section", { class: "card" }, h("h2", {}, heading), more, drawn.element);
}

