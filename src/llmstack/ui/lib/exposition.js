// Reads what `/metrics` says (the text format of Prometheus).

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** The samples of `text`: `{name, labels, value}`; comments and what is none are left out. */
export function samples(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const [, name, labels, value] = line.match(SAMPLE) ?? [];
    if (!name) continue;
    const pairs = [...(labels ?? "").matchAll(LABEL)].map(([, key, told]) => [key, unescaped(told)]);
    found.push({ name, labels: Object.fromEntries(pairs), value: Number(value.replace("Inf", "Infinity")) });
  }
  return found;
}

function unescaped(text) {
  return text.replace(/\\./g, (pair) => ESCAPES[pair] ?? pair);
}
