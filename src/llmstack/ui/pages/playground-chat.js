// The conversation: what was said, and what is asked next.

import { confirm } from "../lib/dialog.js";
import { fill, h, keyed, say } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";
import { composer } from "./playground-composer.js";
import { fields } from "./playground-fields.js";
import { told, whyBlind } from "./playground-models.js";
import { picker } from "./playground-picker.js";
import { ask } from "./playground-reply.js";
import * as store from "./playground-store.js";
import { turn } from "./playground-turn.js";
import { waiting } from "./playground-waiting.js";

const { chat } = store;
/** Pixels from the end within which the page follows what is written. */
const NEAR = 60;

/** The panel for chatting with one of `models`, for as long as `signal` lives; `note` is below it. */
export function conversation(models, signal, note) {
  let known = null; // what the chosen model tells of itself
  let following = true;
  let drawing = 0;
  let rested = 0;
  const settings = fields();
  const choice = picker({ models: models.filter(({ chats }) => chats), label: "Model", chosen: chat.model, onchange: chosen });
  const anew = h("button", { type: "button", onclick: renew }, "New chat");
  const state = h("span", { class: "badge" });
  const turns = h("div", { class: "turns" });
  const back = h("button", { type: "button", onclick: store.bringBack }, "Bring the last conversation back");
  const empty = h(
    "div",
    { class: "play-empty" },
    h("p", { class: "play-first" }, "Ask something"),
    h("p", { class: "quiet" }, "The conversation stays in this browser, and goes to the chosen model only."),
    back,
  );
  const newest = h("button", { type: "button", class: "play-newest", onclick: toEnd }, "↓ Newest");
  const announced = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
  const write = composer({ send, stop, blind: () => whyBlind(model(), known) }, signal);
  const bar = h("div", { class: "play-bar row spread" }, h("div", { class: "row" }, choice.element, state), anew);
  const foot = h("div", { class: "play-foot" }, newest, write.element);
  const talk = h("section", { class: "play-talk", "aria-label": "Conversation" }, h("h2", { class: "unseen" }, "Conversation"), empty, turns, foot);
  const element = h("div", { class: "play-chat" }, bar, talk, h("aside", { "aria-label": "Settings" }, settings.element, note), announced);

  const does = {
    async edit(message, text, close) {
      if (chat.running) {
        complain("An answer is being written: stop it first.");
        return;
      }
      if (!(await may(message, "Send it anew"))) return;
      message.text = text;
      close();
      store.dropAfter(message, false);
      go();
      write.focus();
    },
    async again(message) {
      if (!(await may(message, "Regenerate"))) return;
      store.dropAfter(message, true);
      go();
      write.focus();
    },
    remove(message) {
      store.drop(message);
      write.focus();
    },
  };

  store.on("messages", show, signal);
  store.on("reply", draw, signal);
  store.on("ended", announce, signal);
  live.on("models", look, signal);
  live.on("inflight", draw, signal);
  addEventListener("scroll", follow, { signal, passive: true });
  addEventListener("resize", follow, { signal, passive: true });
  document.addEventListener("keydown", escape, { signal });
  const clock = setInterval(draw, 500);
  signal.addEventListener("abort", () => [clearInterval(clock), cancelAnimationFrame(drawing)]);
  chosen(choice.value());
  show();
  requestAnimationFrame(() => [write.refresh(), toEnd()]);

  function model() {
    return models.find(({ id }) => id === chat.model);
  }

  function chosen(name) {
    if (name !== chat.model) store.choose({ model: name });
    known = null;
    look();
  }

  async function look() {
    const asked = model();
    const row = live.state.models.find(({ id }) => id === (asked?.local ?? asked?.id));
    state.hidden = !row?.state;
    state.className = `badge ${row?.state ?? ""}`;
    say(state, row?.state ?? "");
    write.refresh();
    if (row?.state !== "ready" || !asked.local || known?.of === asked.id) return;
    const answered = await told(asked.local, signal);
    if (signal.aborted || chat.model !== asked.id) return;
    known = { ...answered, of: asked.id };
    settings.own(known.defaults);
    write.refresh();
  }

  function show() {
    const busy = Boolean(chat.running);
    keyed(turns, chat.messages, ({ id }) => id, (message) => turn(message, does));
    refresh();
    empty.hidden = chat.messages.length > 0;
    back.hidden = chat.former.length === 0;
    anew.disabled = chat.messages.length === 0;
    write.busy(busy);
    if (following) toEnd();
    else follow();
  }

  /** Show every message as it is now; `only` that one. */
  function refresh(only) {
    for (const [at, element] of [...turns.children].entries()) {
      const message = chat.messages[at];
      if (!only || message === only) element.refresh(Boolean(chat.running), waiting(message));
    }
  }

  /** Show what has come, in the next frame; after a frame that took long, later. */
  function draw() {
    const { running } = chat;
    if (!running || drawing) return;
    drawing = requestAnimationFrame((began) => {
      drawing = 0;
      if (began < rested) return draw();
      const before = performance.now();
      refresh(running.message);
      if (following) toEnd();
      else follow();
      const took = performance.now() - before;
      rested = took > 8 ? performance.now() + 3 * took : 0;
      return undefined;
    });
  }

  function follow() {
    const page = document.scrollingElement;
    following = page.scrollHeight - page.scrollTop - innerHeight < NEAR;
    newest.hidden = following;
  }

  function toEnd() {
    if (!element.isConnected) return; // another tab is shown
    const page = document.scrollingElement;
    if (chat.messages.length) page.scrollTop = page.scrollHeight;
    following = true;
    newest.hidden = true;
  }

  function announce(message) {
    const text = message.error?.text ?? message.text;
    fill(announced, h("p", {}, `${message.state === "failed" ? "No answer" : "Answer"} of ${message.model || message.asked}: ${text.slice(0, 4000)}`));
  }

  function send(said) {
    following = true;
    store.say(said);
    go();
  }

  function go() {
    if (chat.running) return;
    const offer = model();
    ask(offer !== undefined && !whyBlind(offer, known)).catch(complain);
  }

  function stop() {
    chat.running?.stop();
    write.focus();
  }

  function escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented || !chat.running || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    stop();
  }

  function renew() {
    store.begin();
    write.focus();
  }

  /** Whether the user lets go of what follows `message` and its answer. */
  async function may(message, action) {
    const after = chat.messages.length - 1 - chat.messages.indexOf(message);
    const free = message.role === "user" ? 1 : 0;
    if (after <= free) return true;
    return confirm(action, `The ${after} messages after it are dropped.`, action);
  }

  return { element, focus: write.focus };
}
