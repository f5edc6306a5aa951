// The machine's last hour: asked for once, then only what is new. Kept while the page is open.

import { get } from "../lib/api.js";
import { bytes, percent } from "../lib/format.js";

/** Seconds that are kept. */
const KEPT = 3600;
const MIB = 1024 * 1024;

let host = []; // {time, ...} of /api/performance, oldest first
let graphics = [];
let last = null;
let asking = null;

export const samples = {
  /** Ask for what is new. Throws as `get` does. */
  async renew(signal) {
    asking ??= ask(signal).finally(() => (asking = null));
    await asking;
  },

  /** All cores together, and the busiest one. */
  cpu() {
    const mean = (cores) => cores.reduce((sum, core) => sum + core, 0) / cores.length;
    const line = (of) =>
      host.map(({ time, cpu_util_per_core: cores }) => [time, cores?.length ? of(cores) : null]);
    return [
      { name: "All cores", points: line(mean), area: true },
      { name: "Busiest core", points: line((cores) => Math.max(...cores)) },
    ];
  },

  /** Bytes of memory that the machine has. */
  size() {
    return (host.at(-1)?.mem_total_mb ?? 0) * MIB;
  },

  /** Memory and, where there is some, swap space. */
  memory() {
    const lines = [{ name: "Memory", points: mebibytes(host, "mem_used_mb"), area: true }];
    const space = host.at(-1)?.swap_total_mb;
    if (space > 0) {
      lines.push({ name: `Swap, of ${bytes(space * MIB)}`, points: mebibytes(host, "swap_used_mb") });
    }
    return lines;
  },

  /** What to draw of each GPU: `{key, heading, lines}` and options of `chart`. */
  gpus() {
    const ids = [...new Set(graphics.map(({ id }) => id))];
    return ids.flatMap((id) => gpu(id, graphics.filter((one) => one.id === id)));
  },
};

function gpu(id, samples) {
  const { name, mem_total_mb: size } = samples.at(-1);
  const points = (key) => samples.map((one) => [one.time, one[key]]);
  const drawn = (what, lines, options) => ({
    key: `${id} ${what}`,
    heading: `GPU ${id} (${name}): ${what}`,
    lines,
    ...options,
  });
  const load = { name: "Load", points: points("gpu_util_pct"), area: true };
  const memory = { name: "Memory", points: mebibytes(samples, "mem_used_mb"), area: true };
  const heat = { name: "°C", points: points("temp_c") };
  const power = { name: "W", points: points("power_draw_w") };
  return [
    drawn("load", [load], { top: 100, format: hundredths }),
    // 0 is how llama-swap's numbers say unknown: a GPU that shares the machine's memory.
    size > 0 && drawn("memory", [memory], { top: size * MIB, base: 2, format: bytes }),
    drawn("temperature and power", [heat, power], { format: plain }),
  ].filter(Boolean);
}

async function ask(signal) {
  const after = last ? `?after=${encodeURIComponent(last)}` : "";
  const { sys_stats: told, gpu_stats: gpus } = await get(`/api/performance${after}`, { signal });
  host = merged(host, told);
  graphics = merged(graphics, gpus);
  last = told?.at(-1)?.timestamp ?? last;
}

function merged(known, told) {
  const dated = (told ?? []).map((one) => ({ ...one, time: Date.parse(one.timestamp) / 1000 }));
  const newest = known.at(-1)?.time ?? 0;
  const all = [...known, ...dated.filter(({ time }) => time > newest)];
  const oldest = (all.at(-1)?.time ?? 0) - KEPT;
  return all.filter(({ time }) => time >= oldest);
}

function mebibytes(moments, key) {
  return moments.map((one) => [one.time, one[key] === undefined ? null : one[key] * MIB]);
}

function hundredths(value) {
  return percent(value === null ? null : value / 100);
}

function plain(value) {
  return value === null ? "–" : String(Math.round(value));
}
