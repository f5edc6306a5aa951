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
    const loads = host.map(({ time, cpu_util_per_core: cores }) => ({ time, cores: cores ?? [] }));
    const mean = ({ time, cores }) => [time, cores.length ? cores.reduce((sum, core) => sum + core, 0) / cores.length : null];
    const most = ({ time, cores }) => [time, cores.length ? Math.max(...cores) : null];
    return [
      { name: "All cores", points: loads.map(mean), area: true },
      { name: "Busiest core", points: loads.map(most) },
    ];
  },

  /** Bytes of memory that the machine has. */
  size() {
    return (host.at(-1)?.mem_total_mb ?? 0) * MIB;
  },

  /** Memory and, where there is some, swap space. */
  memory() {
    const total = host.at(-1)?.mem_total_mb;
    const lines = [{ name: total ? `Memory, of ${bytes(total * MIB)}` : "Memory", points: mebibytes(host, "mem_used_mb"), area: true }];
    if (host.some(({ swap_total_mb: size }) => size > 0)) {
      const size = host.at(-1).swap_total_mb;
      lines.push({ name: `Swap, of ${bytes(size * MIB)}`, points: mebibytes(host, "swap_used_mb") });
    }
    return lines;
  },

  /** What to draw of each GPU: `{key, heading, lines}` and options of `chart`. */
  gpus() {
    const ids = [...new Set(graphics.map(({ id }) => id))];
    return ids.flatMap((id) => {
      const own = graphics.filter((one) => one.id === id);
      const name = `GPU ${id}: ${own.at(-1).name}`;
      const of = (key) => own.map((one) => [one.time, one[key]]);
      const memory = { name: `Memory, of ${bytes(own.at(-1).mem_total_mb * MIB)}`, points: mebibytes(own, "mem_used_mb"), area: true };
      return [
        { key: `${id} load`, heading: `${name}, load`, top: 100, format: hundredths, lines: [{ name: "Load", points: of("gpu_util_pct"), area: true }] },
        { key: `${id} memory`, heading: `${name}, memory`, top: own.at(-1).mem_total_mb * MIB, base: 2, format: bytes, lines: [memory] },
        { key: `${id} heat`, heading: `${name}, temperature and power`, format: plain, lines: [{ name: "°C", points: of("temp_c") }, { name: "W", points: of("power_draw_w") }] },
      ];
    });
  },
};

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
