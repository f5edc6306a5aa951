// The conversation of the playground. It outlives the page, and the browser keeps it.

import { complain } from "../lib/notice.js";

const NAME = "playground";
/** Characters that are kept of a conversation in the browser: about a fifth of what it allows. */
const KEPT = 1_000_000;
/** Milliseconds between two times that a growing answer is kept. */
const PAUSE = 2000;

/**
 * `messages` are `{id, role: "user", text, images: [{name, url}], files: [{name, text}]}` and
 * `{id, role: "assistant", state, text, …}`, see `playground-reply.js`. `running` is the answer that
 * is being written with what stops it, `session` what requests call this conversation, `former` the
 * messages before it.
 */
export const chat = {
  messages: [],
  model: "",
  settings: {},
  session: fresh(),
  draft: "",
  images: [],
  files: [],
  running: null,
  former: [],
};

const target = new EventTarget();
let saving = 0;
let complained = false;
restore();
addEventListener("pagehide", save);

/** Kinds: `messages` (some came or went), `reply` (one goes on), `ended` (one is whole), `model`. */
export function on(kind, listener, signal) {
  target.addEventListener(kind, (event) => listener(event.detail), { signal });
}

/** Tell the page, if it is shown, and keep what there is now. */
export function tell(kind, detail) {
  target.dispatchEvent(new CustomEvent(kind, { detail }));
  if (kind === "reply") saving ||= setTimeout(save, PAUSE);
  else save();
}

/** A name that no other message has. */
export function fresh() {
  const digits = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(digits, (digit) => digit.toString(16).padStart(2, "0")).join("");
}

/** Add a message of the user's. */
export function say({ text, images = [], files = [] }) {
  chat.messages.push({ id: fresh(), role: "user", text, images, files });
  tell("messages");
}

/** Drop the messages from `message` on, with it only if `itself`. */
export function dropAfter(message, itself) {
  const at = chat.messages.indexOf(message);
  if (at >= 0) chat.messages.splice(at + (itself ? 0 : 1));
  tell("messages");
}

/** Drop one message. */
export function drop(message) {
  chat.messages = chat.messages.filter((one) => one !== message);
  tell("messages");
}

/** Begin anew; what was there can be brought back until the browser's page is closed. */
export function begin() {
  chat.running?.stop();
  if (chat.messages.length) chat.former = chat.messages;
  chat.messages = [];
  chat.session = fresh();
  tell("messages");
}

/** The conversation before this one. */
export function bringBack() {
  chat.messages = chat.former;
  chat.former = [];
  tell("messages");
}

/** Choose a model, or change what it is told beside the messages. */
export function choose(changes) {
  Object.assign(chat, changes);
  tell("model");
}

function save() {
  clearTimeout(saving);
  saving = 0;
  const { model, settings, session } = chat;
  const messages = [];
  let size = 0;
  for (const message of chat.messages.toReversed()) {
    const kept = { ...message, images: message.images?.map(({ name }) => ({ name })) };
    size += JSON.stringify(kept).length;
    if (size > KEPT) break;
    messages.unshift(kept);
  }
  try {
    localStorage.setItem(NAME, JSON.stringify({ model, settings, session, messages }));
  } catch {
    if (!complained) complain("The browser keeps no more: this conversation is gone when you close the page.");
    complained = true;
  }
}

function restore() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(NAME) ?? "{}");
  } catch {
    return; // nothing that we wrote
  }
  if (typeof kept?.model === "string") chat.model = kept.model;
  if (typeof kept?.session === "string") chat.session = kept.session;
  for (const [name, text] of Object.entries(kept?.settings ?? {})) {
    if (typeof text === "string") chat.settings[name] = text;
  }
  if (!Array.isArray(kept?.messages)) return;
  chat.messages = kept.messages
    .filter((one) => typeof one?.text === "string" && one.id)
    .map((one) => ({ images: [], files: [], tools: [], notes: [], speed: {}, reasoning: "", ...one }));
  for (const message of chat.messages) {
    // It was being written when the page was closed.
    if (message.state === "waiting" || message.state === "writing") message.state = "stopped";
  }
}
