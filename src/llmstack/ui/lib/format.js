// Numbers and moments as people read them. Unknown is an en dash.

const NONE = "–";
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));

/** `1536` → `1.5 KiB`. */
export function bytes(value) {
  if (!known(value)) return NONE;
  let rest = Number(value);
  let unit = 0;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${digits(rest)} ${UNITS[unit]}`;
}

/** `12345` → `12,345`, in the reader's own way of writing. */
export function count(value) {
  return known(value) ? Number(value).toLocaleString() : NONE;
}

/** `12345` → `12.3 k`. */
export function short(value) {
  if (!known(value)) return NONE;
  const number = Number(value);
  if (Math.abs(number) >= 1e6) return `${digits(number / 1e6)} M`;
  if (Math.abs(number) >= 1e4) return `${digits(number / 1e3)} k`;
  return count(Math.round(number));
}

/** Seconds: `0.25` → `250 ms`, `75` → `1 min 15 s`. */
export function seconds(value) {
  if (!known(value)) return NONE;
  const number = Number(value);
  if (number > 0 && number < 1) return `${Math.round(number * 1000)} ms`;
  if (number < 60) return `${digits(number)} s`;
  const whole = Math.round(number);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Milliseconds; see `seconds`. */
export function milliseconds(value) {
  return known(value) ? seconds(Number(value) / 1000) : NONE;
}

/** Tokens per second; llama-swap's `-1` and 0 are unknown. */
export function speed(value) {
  return known(value) && Number(value) > 0 ? `${digits(Number(value))} t/s` : NONE;
}

/** US dollars. */
export function usd(value) {
  if (!known(value)) return NONE;
  const number = Number(value);
  return `$${number !== 0 && Math.abs(number) < 1 ? number.toPrecision(2) : number.toFixed(2)}`;
}

/** A share of 1: `0.256` → `26 %`. */
export function percent(value) {
  return known(value) ? `${Math.round(Number(value) * 100)} %` : NONE;
}

/** Seconds since the epoch, or RFC 3339 → the time today, or the day and the time. */
export function moment(value) {
  const date = toDate(value);
  if (!date) return NONE;
  const today = new Date().toDateString() === date.toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/** How long ago: `12 s ago`. */
export function ago(value, now = Date.now()) {
  const date = toDate(value);
  if (!date) return NONE;
  const passed = Math.max(0, (now - date.getTime()) / 1000);
  return passed < 2 ? "now" : `${seconds(Math.round(passed))} ago`;
}

function toDate(value) {
  if (value === null || value === undefined || value === "") return null;
  const date = typeof value === "number" ? new Date(value * 1000) : new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

function digits(number) {
  if (Number.isInteger(number) || Math.abs(number) >= 100) return String(Math.round(number));
  return number.toFixed(Math.abs(number) >= 10 ? 1 : number >= 1 ? 1 : 2);
}
