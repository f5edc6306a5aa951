// One answer of a model: asked for, read as it comes, measured.

import { send } from "../lib/api.js";
import { events } from "../lib/sse.js";
import { sampling } from "./playground-fields.js";
import { chat, fresh, tell } from "./playground-store.js";

const THINK = "<think>";
const THOUGHT = "</think>";

/**
 * Ask the chosen model for the next message. `sees` says whether images may be sent to it.
 *
 * The message is `{id, role, state, asked, text, reasoning, thought, tools, model, reason, notes,
 * finish, error, speed}`: `state` goes from `waiting` to `writing` to `done`, `stopped` or `failed`;
 * `thought` is how many ms it thought; `error` is `{status, text}`; `speed` is `{first, total}` in
 * ms, `{rate}` in tokens per second, and `{input, cached, output}` in tokens.
 */
export async function ask(sees) {
  const body = {
    model: chat.model,
    messages: spoken(sees),
    stream: true,
    stream_options: { include_usage: true },
    ...sampling(chat.settings),
  };
  const message = {
    ...{ id: fresh(), role: "assistant", state: "waiting", asked: chat.model, since: Date.now() },
    ...{ text: "", reasoning: "", tools: [], notes: [], speed: {} },
  };
  const unseen = !sees && chat.messages.some(({ images }) => images?.some(({ url }) => url));
  if (unseen) message.notes.push(`Images were not sent: ${chat.model} gets none.`);
  const leaving = new AbortController();
  const running = { message, stop: () => leaving.abort() };
  chat.running = running;
  chat.messages.push(message);
  tell("messages");
  try {
    await receive(message, body, leaving.signal);
  } catch (error) {
    message.state = error.name === "AbortError" ? "stopped" : "failed";
    if (message.state === "failed") message.error = { status: error.status ?? 0, text: words(error) };
  }
  if (chat.running === running) chat.running = null;
  tell("ended", message);
  tell("messages");
}

/** The conversation as it is sent: what failed is not, and thoughts are not. */
function spoken(sees) {
  const system = (chat.settings.system ?? "").trim();
  const messages = system ? [{ role: "system", content: system }] : [];
  for (const message of chat.messages) {
    if (message.role === "user") messages.push({ role: "user", content: content(message, sees) });
    else if (message.text) messages.push({ role: "assistant", content: message.text });
  }
  return messages;
}

function content({ text, images = [], files = [] }, sees) {
  const told = [...files.map(inlined), text].filter(Boolean).join("\n\n");
  const shown = sees ? images.filter(({ url }) => url) : [];
  if (!shown.length) return told;
  const parts = shown.map(({ url }) => ({ type: "image_url", image_url: { url } }));
  return told ? [{ type: "text", text: told }, ...parts] : parts;
}

/** A file as text, in a fence that it does not hold itself. */
function inlined({ name, text }) {
  let longest = 2;
  for (const [run] of text.matchAll(/`{3,}/g)) longest = Math.max(longest, run.length);
  const fence = "`".repeat(longest + 1);
  return `File: ${name}\n${fence}\n${text.replace(/\n$/, "")}\n${fence}`;
}

async function receive(message, body, signal) {
  const reply = new Reply(message);
  const headers = { "x-session-id": `playground-${chat.session}` };
  const response = await send("POST", "/v1/chat/completions", body, { signal, headers });
  reply.head(response.headers);
  for await (const data of events(response)) {
    if (data === "[DONE]") continue; // what comes behind it is the connection's end
    try {
      reply.take(JSON.parse(data));
    } catch (error) {
      throw error.told ? error : new Error("The model sent something that is no answer.");
    }
    tell("reply", message);
  }
  if (!signal.aborted) reply.end();
}

class Reply {
  #asked = performance.now();
  #began = null; // when the first of it came
  #thinking = null;
  #raw = ""; // content as it came, with tags around thoughts
  #pieces = 0;

  constructor(message) {
    this.message = message;
    this.thoughts = ""; // those that came apart
  }

  head(headers) {
    const { message } = this;
    message.model = headers.get("x-llmstack-model") || message.asked;
    message.reason = headers.get("x-llmstack-reason") ?? "";
    const fallback = headers.get("x-llmstack-fallback");
    const context = headers.get("x-llmstack-context");
    if (fallback) message.notes.push(`Others could not: ${fallback}`);
    if (context) message.notes.push(`Prompt: ${context}`);
  }

  take(chunk) {
    if (chunk.error) throw told(chunk.error);
    const { message } = this;
    if (chunk.usage) this.count(chunk.usage);
    if (chunk.timings) this.time(chunk.timings);
    const choice = chunk.choices?.[0];
    const delta = choice?.delta ?? choice?.message;
    if (choice?.finish_reason) message.finish = choice.finish_reason;
    if (!delta) return;
    const thoughts = delta.reasoning_content ?? delta.reasoning;
    // A model that is being loaded is announced as a thought, in chunks without an id.
    if (chunk.id === undefined && thoughts && !message.text) return;
    if (typeof thoughts === "string" && thoughts) this.think(thoughts);
    if (typeof delta.content === "string" && delta.content) this.write(delta.content);
    if (typeof delta.refusal === "string" && delta.refusal) this.write(delta.refusal);
    for (const call of delta.tool_calls ?? []) this.call(call);
  }

  think(text) {
    this.begin();
    this.#thinking ??= performance.now();
    this.thoughts += text;
    this.message.reasoning = this.thoughts;
  }

  write(text) {
    this.begin();
    this.#raw += text;
    const { message } = this;
    const begin = this.#raw.length < 200 || message.tagged ? this.#raw.trimStart() : "";
    if (begin && THINK.startsWith(begin.slice(0, THINK.length))) {
      message.tagged = true;
      this.#thinking ??= performance.now();
      const end = begin.indexOf(THOUGHT);
      message.reasoning = this.thoughts + begin.slice(THINK.length, end < 0 ? undefined : end).trim();
      message.text = end < 0 ? "" : begin.slice(end + THOUGHT.length).trimStart();
      if (end < 0) return;
    } else {
      message.text = this.#raw;
    }
    this.thought();
  }

  thought() {
    if (this.#thinking !== null) this.message.thought ??= performance.now() - this.#thinking;
  }

  call(call) {
    this.begin();
    this.thought();
    const { tools } = this.message;
    const place = Number.isInteger(call.index) && call.index <= tools.length ? call.index : tools.length;
    const tool = (tools[place] ??= { name: "", arguments: "" });
    tool.name += call.function?.name ?? "";
    tool.arguments += call.function?.arguments ?? "";
  }

  begin() {
    const { message } = this;
    this.#pieces += 1;
    if (this.#began === null) {
      this.#began = performance.now();
      message.state = "writing";
      message.speed.first = this.#began - this.#asked;
    }
    const passed = performance.now() - this.#began;
    // Nearly every piece is a token; what the server counts takes the place of this.
    if (passed > 500) message.speed.about = ((this.#pieces - 1) * 1000) / passed;
  }

  count(usage) {
    const { speed } = this.message;
    speed.input = usage.prompt_tokens ?? speed.input;
    speed.output = usage.completion_tokens ?? speed.output;
    speed.cached = usage.prompt_tokens_details?.cached_tokens ?? speed.cached;
  }

  time(timings) {
    const { speed } = this.message;
    speed.cached ??= timings.cache_n;
    speed.input ??= (timings.prompt_n ?? 0) + (timings.cache_n ?? 0);
    speed.output ??= timings.predicted_n;
    if (timings.predicted_n > 1 && timings.predicted_per_second > 0) speed.rate = timings.predicted_per_second;
  }

  end() {
    const { message } = this;
    const { speed } = message;
    const now = performance.now();
    this.thought();
    speed.total = now - this.#asked;
    if (!speed.rate && speed.output > 1 && this.#began !== null && now > this.#began) {
      speed.rate = ((speed.output - 1) * 1000) / (now - this.#began);
    }
    if (!message.finish) throw new Error("The answer broke off: its end did not come.");
    message.state = "done";
  }
}

function told(error) {
  const text = typeof error === "string" ? error : (error.message ?? JSON.stringify(error));
  return Object.assign(new Error(text), { status: Number(error.code) || 0, told: true });
}

function words(error) {
  if (error instanceof TypeError) return "The connection broke off.";
  return error.message || String(error);
}
