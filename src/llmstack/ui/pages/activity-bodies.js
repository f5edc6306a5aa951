// Reads kept bodies: bytes, JSON, streams of events, chat messages. Nothing here touches the page.

/** What a base64 text holds, unpacked if it is compressed. */
export async function decoded(base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const packing = bytes[0] === 0x1f && bytes[1] === 0x8b ? "gzip" : null;
  if (!packing) return bytes;
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(packing));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    return bytes; // broken off: as it came
  }
}

/** The text of UTF-8 bytes; null if they are none. */
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The value of a JSON text; undefined if it is none. */
export function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The data of a stream of events, each decoded if it is JSON; null if `text` is no such stream. */
export function eventsOf(text) {
  if (!/^(data|event|id|retry|:)/.test(text)) return null;
  const found = [];
  for (const block of text.split(/\r\n\r\n|\n\n|\r\r/)) {
    const data = block
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, ""));
    if (data.length === 0) continue;
    const joined = data.join("\n");
    found.push(jsonOf(joined) ?? joined);
  }
  return found.length > 0 ? found : null;
}

/**
 * A request's messages: `[{role, parts}]`, or null where there is nothing of the kind. A part is
 * `{kind, text}`: `text`, `reasoning`, `call`, `result`, or what else there is.
 */
export function messagesOf(body) {
  if (!isObject(body)) return null;
  const found = [];
  for (const name of ["system", "instructions"]) {
    if (body[name]) found.push({ role: "system", parts: partsOf(body[name]) });
  }
  if (Array.isArray(body.messages)) found.push(...body.messages.map(messageOf));
  else if (typeof body.input === "string") found.push({ role: "user", parts: [part("text", body.input)] });
  else if (Array.isArray(body.input)) found.push(...body.input.map(itemOf));
  else if (typeof body.prompt === "string") found.push({ role: "prompt", parts: [part("text", body.prompt)] });
  return found.length > 0 ? found : null;
}

/** An answer's messages, of its JSON or of its events; null where there is nothing of the kind. */
export function answerOf(body) {
  if (Array.isArray(body)) return streamed(body);
  if (!isObject(body)) return null;
  if (Array.isArray(body.choices)) {
    return body.choices.map((choice) => messageOf(choice.message ?? { role: "completion", content: choice.text }));
  }
  if (Array.isArray(body.output)) return body.output.map(itemOf);
  if (Array.isArray(body.content)) return [messageOf(body)];
  if (typeof body.content === "string") return [{ role: "completion", parts: [part("text", body.content)] }];
  return null;
}

/** What is in a body beside its messages, for a short view. */
export function restOf(body) {
  if (!isObject(body)) return [];
  const long = new Set(["messages", "system", "instructions", "input", "prompt", "tools", "choices", "output", "content"]);
  const rest = Object.entries(body).filter(([name]) => !long.has(name));
  const told = rest.map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  if (Array.isArray(body.tools)) told.push(["tools", body.tools.map(toolName).join(", ")]);
  return told;
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const part = (kind, text) => ({ kind, text: typeof text === "string" ? text : pretty(text) });
const pretty = (value) => JSON.stringify(value, null, 2) ?? "";
const toolName = (tool) => tool?.function?.name ?? tool?.name ?? tool?.type ?? "?";

function messageOf(message) {
  if (!isObject(message)) return { role: "?", parts: [part("text", message)] };
  const parts = [];
  const reasoning = message.reasoning_content ?? message.reasoning;
  if (reasoning) parts.push(part("reasoning", reasoning));
  parts.push(...partsOf(message.content));
  for (const call of message.tool_calls ?? []) parts.push(callOf(call.function ?? call));
  return { role: message.role ?? "assistant", parts };
}

function partsOf(content) {
  if (content === null || content === undefined || content === "") return [];
  if (!Array.isArray(content)) return [part("text", content)];
  return content.map((block) => {
    if (!isObject(block)) return part("text", block);
    if (block.type === "tool_use") return callOf({ name: block.name, arguments: block.input });
    if (block.type === "tool_result") return part("result", flat(block.content));
    if (block.type === "thinking") return part("reasoning", block.thinking);
    if (typeof block.text === "string") return part("text", block.text);
    return part(String(block.type ?? "part"), shortened(pretty(block)));
  });
}

/** An item of the Responses API. */
function itemOf(item) {
  if (!isObject(item)) return { role: "?", parts: [part("text", item)] };
  if (item.type === "function_call") return { role: "assistant", parts: [callOf(item)] };
  if (item.type === "function_call_output") return { role: "tool", parts: [part("result", flat(item.output))] };
  if (item.type === "reasoning") {
    const said = [...(item.summary ?? []), ...(item.content ?? [])].map(({ text }) => text ?? "").join("\n");
    return { role: "assistant", parts: [part("reasoning", said)] };
  }
  return messageOf(item);
}

function callOf({ name, arguments: given }) {
  const value = typeof given === "string" ? (jsonOf(given) ?? given) : given;
  return part("call", `${name ?? "?"}(${typeof value === "string" ? value : pretty(value)})`);
}

function flat(content) {
  if (!Array.isArray(content)) return content ?? "";
  return content.map((block) => block?.text ?? pretty(block)).join("\n");
}

/** Long data, as that of an image, says nothing to anybody. */
function shortened(text) {
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length} characters)` : text;
}

/** The messages that pieces add up to: those of OpenAI's chat and completions, Responses, Anthropic. */
function streamed(events) {
  const whole = events.findLast((event) => event?.response?.output?.length > 0);
  if (whole) return whole.response.output.map(itemOf);
  const messages = new Map();
  for (const event of events) {
    if (isObject(event)) gather(event, messages);
  }
  const found = [...messages.values()].map(({ role, parts, calls }) => ({
    role,
    parts: [...parts, ...[...calls.values()].map(callOf)],
  }));
  return found.length > 0 ? found : null;
}

function gather(event, messages) {
  for (const choice of Array.isArray(event.choices) ? event.choices : []) {
    const message = messageAt(messages, choice.index ?? 0);
    const delta = choice.delta ?? {};
    grow(message, "reasoning", delta.reasoning_content ?? delta.reasoning);
    grow(message, "text", delta.content ?? choice.text);
    for (const call of delta.tool_calls ?? []) {
      growCall(message, call.index ?? 0, call.function?.name, call.function?.arguments);
    }
  }
  const at = event.index ?? event.output_index ?? 0;
  if (event.type === "content_block_start" && event.content_block?.type === "tool_use") {
    growCall(messageAt(messages, 0), at, event.content_block.name, "");
  } else if (event.type === "content_block_delta") {
    const message = messageAt(messages, 0);
    grow(message, "text", event.delta?.text);
    grow(message, "reasoning", event.delta?.thinking);
    if (event.delta?.partial_json) growCall(message, at, "", event.delta.partial_json);
  } else if (event.type === "response.output_text.delta") {
    grow(messageAt(messages, 0), "text", event.delta);
  } else if (/^response\.reasoning\w*\.delta$/.test(event.type ?? "")) {
    grow(messageAt(messages, 0), "reasoning", event.delta);
  } else if (event.error) {
    grow(messageAt(messages, 0), "error", pretty(event.error));
  }
}

function messageAt(messages, index) {
  if (!messages.has(index)) messages.set(index, { role: "assistant", parts: [], calls: new Map() });
  return messages.get(index);
}

function grow({ parts }, kind, text) {
  if (typeof text !== "string" || text === "") return;
  const last = parts.at(-1);
  if (last?.kind === kind) last.text += text;
  else parts.push({ kind, text });
}

function growCall({ calls }, index, name, given) {
  const call = calls.get(index) ?? { name: "", arguments: "" };
  calls.set(index, { name: call.name + (name ?? ""), arguments: call.arguments + (given ?? "") });
}
