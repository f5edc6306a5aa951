// One message of the conversation, shown.

import { copyButton } from "../lib/dialog.js";
import { fill, h, keyed, say } from "../lib/dom.js";
import { count, milliseconds, speed } from "../lib/format.js";
import { Markdown } from "../lib/markdown.js";

const FINISHES = {
  length: "It ended at the limit of tokens.",
  content_filter: "It was ended by a content filter.",
};

/**
 * The element of a message. `does` is what its buttons do: `edit(message, text)`, `again(message)`,
 * `remove(message)`. Its `refresh(busy, waiting)` shows what the message is now.
 */
export function turn(message, does) {
  return message.role === "user" ? question(message, does) : answer(message, does);
}

function question(message, does) {
  const text = h("div", { class: "turn-text" }, message.text);
  const edit = small("Edit", change);
  const remove = small("Delete", () => does.remove(message));
  const body = h("div", { class: "turn-body" }, text, attached(message));
  const acts = h("div", { class: "turn-acts" }, copy(() => message.text), edit, remove);
  const element = h("article", { class: "turn user", "aria-label": "You" }, body, acts);
  element.refresh = (busy) => {
    say(text, message.text);
    text.hidden = !message.text;
    edit.disabled = remove.disabled = busy;
  };

  function change() {
    const area = h("textarea", { "aria-label": "Your message", rows: 3 });
    area.value = message.text;
    const send = h("button", { type: "submit", class: "primary" }, "Send");
    const cancel = h("button", { type: "button", onclick: close }, "Cancel");
    const form = h("form", { class: "turn-edit" }, area, h("div", { class: "row" }, send, cancel));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const empty = !area.value.trim() && !message.images.length && !message.files.length;
      if (!empty) does.edit(message, area.value.trim(), close);
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      else if (!sends(event)) return;
      else form.requestSubmit();
      event.preventDefault();
      event.stopPropagation();
    });
    fill(body, form);
    acts.hidden = true;
    element.classList.add("edited");
    area.focus();
  }

  function close() {
    fill(body, text, attached(message));
    acts.hidden = false;
    element.classList.remove("edited");
    edit.focus();
  }

  return element;
}

function answer(message, does) {
  const name = h("span", { class: "turn-name" });
  const reason = h("span", { class: "quiet small" });
  const wait = h("p", { class: "turn-wait quiet" });
  const thinking = h("summary");
  const thoughts = h("div", { class: "turn-text" });
  const thought = h("details", { class: "thought" }, thinking, thoughts);
  const prose = h("div", { class: "prose" });
  const shown = new Markdown(prose);
  const tools = h("div", { class: "turn-tools" });
  const problem = h("p", { class: "error" });
  const retry = h("button", { type: "button", onclick: () => does.again(message) }, "Try again");
  const failed = h("div", { class: "turn-failed" }, problem, retry);
  const notes = h("p", { class: "quiet small turn-notes" });
  const facts = h("p", { class: "quiet small turn-speed" });
  const again = small("Regenerate", () => does.again(message));
  const remove = small("Delete", () => does.remove(message));
  const copies = copy(() => message.text);
  const acts = h("div", { class: "turn-acts" }, copies, again, remove);
  const head = h("header", {}, name, reason);
  const foot = h("footer", {}, facts, acts);
  const parts = [head, thought, prose, tools, wait, failed, notes, foot];
  const element = h("article", { class: "turn assistant" }, parts);
  let last = "";

  element.refresh = (busy, waiting) => {
    const { state } = message;
    const going = state === "waiting" || state === "writing";
    const model = message.model || message.asked;
    element.setAttribute("aria-label", `Answer of ${model}`);
    element.setAttribute("aria-busy", String(going));
    say(name, message.asked === "auto" && message.model ? `auto → ${model}` : model);
    say(reason, message.asked === "auto" ? message.reason : "");
    thought.hidden = !message.reasoning;
    say(thinking, message.thought === undefined && going ? "Thinking…" : `Thought for ${milliseconds(message.thought)}`);
    if (thoughts.textContent !== message.reasoning) say(thoughts, message.reasoning);
    const now = `${going}${message.text.length}`;
    if (now !== last) shown.show(message.text, going);
    last = now;
    keyed(tools, message.tools.map((tool, at) => ({ tool, at })), ({ at }) => String(at), calling, called);
    wait.hidden = state !== "waiting";
    say(wait, waiting);
    failed.hidden = state !== "failed";
    retry.disabled = busy;
    say(problem, message.error ? inWords(message.error) : "");
    say(notes, [state === "stopped" && "Stopped.", FINISHES[message.finish], ...message.notes].filter(Boolean).join(" "));
    notes.hidden = !notes.textContent;
    say(facts, line(message));
    acts.hidden = going;
    copies.hidden = !message.text;
    again.disabled = remove.disabled = busy;
  };
  return element;
}

/** What an answer took: time to its first token, tokens per second, tokens in and out. */
function line({ speed: took, state }) {
  if (took.first === undefined) return "";
  const parts = [`first token ${milliseconds(took.first)}`];
  if (took.rate) parts.push(speed(took.rate));
  else if (took.about && state !== "done") parts.push(`about ${speed(took.about)}`);
  if (took.input !== undefined) {
    parts.push(`${count(took.input)} tokens in${took.cached === undefined ? "" : `, ${count(took.cached)} cached`}`);
  }
  if (took.output !== undefined) parts.push(`${count(took.output)} out`);
  if (took.total) parts.push(`${milliseconds(took.total)} in all`);
  return parts.join(" · ");
}

function inWords({ status, text }) {
  const full = /context|too (long|many tokens|large)|exceed/i.test(text) && status >= 400 && status < 500;
  return full ? `${text}\nThe conversation is too long for this model: delete messages, or begin a new chat.` : text;
}

function calling() {
  const name = h("code");
  const told = h("code");
  return h("div", { class: "tool" }, h("p", {}, "Wants to call ", name), h("pre", {}, told));
}

function called(element, { tool }) {
  const [name, told] = element.querySelectorAll("code");
  say(name, tool.name || "a tool");
  say(told, tool.arguments);
}

function attached({ images = [], files = [] }) {
  const pictures = images.map(({ name, url }) =>
    url ? h("img", { src: url, alt: name, title: name }) : h("span", { class: "badge" }, `${name}: not kept, not sent`),
  );
  const texts = files.map(({ name, text }) =>
    h("details", { class: "thought" }, h("summary", {}, name), h("pre", {}, text)),
  );
  return pictures.length + texts.length > 0 && h("div", { class: "turn-files" }, pictures, texts);
}

/** Whether a key sends what is written. Enter within a word that is being composed does not. */
export function sends(event) {
  return event.key === "Enter" && !event.shiftKey && !event.isComposing;
}

function small(label, onclick) {
  return h("button", { type: "button", class: "small", onclick }, label);
}

function copy(text) {
  const button = copyButton(text);
  button.classList.add("small");
  return button;
}
