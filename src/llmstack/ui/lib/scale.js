// Round numbers for axes.

/** Greater values are drawn as this one, so that arithmetic stays finite. */
const HUGE = 1e15;
const DECIMAL = [1, 2, 5, 10];
/** Seconds between ticks of time. */
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** `value` if it can be drawn, else null. */
export function drawable(value) {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? Math.max(-HUGE, Math.min(HUGE, number)) : null;
}

/**
 * Ticks that hold `low` and `high` between them, at most about `most` steps of a round size: of
 * 1, 2 or 5 times a power of ten, or of a power of two for `base` 2 (bytes).
 */
export function ticks(low, high, { most = 4, base = 10 } = {}) {
  const step = round((high - low) / most, base) || 1;
  const first = Math.floor(low / step);
  const last = Math.max(Math.ceil(high / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, number) => (first + number) * step);
}

function round(least, base) {
  if (!(least > 1e-12)) return 0;
  if (base === 2) return 2 ** Math.ceil(Math.log2(least));
  const power = 10 ** Math.floor(Math.log10(least));
  return power * DECIMAL.find((factor) => factor * power >= least * 0.999);
}

/** Moments between two (seconds since the epoch), at most `most`, at round times of the reader's clock. */
export function timeTicks(first, last, most = 6) {
  const least = (last - first) / most;
  const step = TIMES.find((size) => size >= least) ?? 86_400 * Math.ceil(least / 86_400);
  const offset = new Date(last * 1000).getTimezoneOffset() * 60;
  const start = Math.ceil((first - offset) / step) * step + offset;
  const found = [];
  for (let time = start; time <= last && found.length <= most; time += step) found.push(time);
  return { step, times: found };
}

/** A moment on the reader's clock; with seconds where `step` is less than a minute. */
export function clock(time, step = 1) {
  const parts = { hour: "2-digit", minute: "2-digit", ...(step < 60 && { second: "2-digit" }) };
  return new Date(time * 1000).toLocaleTimeString([], { ...parts, hourCycle: "h23" });
}
