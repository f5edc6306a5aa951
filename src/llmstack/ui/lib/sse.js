// Reads a stream of server-sent events that was asked for with POST, which EventSource cannot do.

/** Characters of one event; a stream that sends more is broken or means harm. */
const LARGEST = 16 * 1024 * 1024;

/**
 * The data of each event of `response`, as text, as they come.
 *
 * Lines may end with LF, CRLF or CR; what is no `data` is passed over. An event that the end of the
 * stream has cut off is given all the same: its reader sees whether it can use it.
 */
export async function* events(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  const lines = new Lines();
  let data = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      for (const line of lines.take(text, done)) {
        if (line === "") {
          if (data.length) yield data.join("\n");
          [data, size] = [[], 0];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
          size += line.length;
        }
      }
      if (size + lines.waiting > LARGEST) throw new Error("The answer has an event without end.");
      if (done) break;
    }
    if (data.length) yield data.join("\n");
  } finally {
    reader.cancel().catch(() => {});
  }
}

class Lines {
  #parts = [];
  #afterReturn = false;
  /** Characters of the line that has not ended yet. */
  waiting = 0;

  /** The lines that `text` completes; at the end the last one too, if anything of it has come. */
  take(text, atEnd) {
    if (this.#afterReturn && text[0] === "\n") text = text.slice(1);
    if (text) this.#afterReturn = text.endsWith("\r");
    const found = text.split(/\r\n|\n|\r/);
    const rest = found.pop();
    if (found.length) {
      found[0] = this.#parts.join("") + found[0];
      this.#parts = [];
      this.waiting = 0;
    }
    if (rest) this.#parts.push(rest);
    this.waiting += rest.length;
    if (atEnd && this.waiting) {
      found.push(this.#parts.join(""));
      this.#parts = [];
    }
    return found;
  }
}
