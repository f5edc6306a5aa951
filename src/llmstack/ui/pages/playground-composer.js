// Where the next message is written.

import { fill, h, say } from "../lib/dom.js";
import { complain } from "../lib/notice.js";
import { attach } from "./playground-attach.js";
import { faults } from "./playground-fields.js";
import { chat } from "./playground-store.js";
import { sends } from "./playground-turn.js";

const SHORT = "Write a message";
const LONG = `${SHORT}. Enter sends, Shift+Enter breaks the line.`;

/**
 * The form, for as long as `signal` lives. `send(said)` takes `{text, images, files}`, `stop()` ends
 * the running answer, and `blind()` tells why the chosen model gets no images.
 *
 * Returns `{element, focus(), busy(whether), refresh()}`. What is written and attached outlives it.
 */
export function composer({ send, stop, blind }, signal) {
  const area = h("textarea", { id: "play-text", rows: 1, "aria-label": "Message" });
  area.placeholder = matchMedia("(min-width: 50rem)").matches ? LONG : SHORT;
  const chips = h("div", { class: "chips" });
  const file = h("input", { type: "file", multiple: true, class: "unseen", tabindex: -1, "aria-label": "Files" });
  const add = h("button", { type: "button", onclick: () => file.click() }, "Attach");
  const why = h("span", { class: "quiet small play-why" });
  const sending = h("button", { type: "submit", class: "primary" }, "Send");
  const stopping = h("button", { type: "button", class: "danger", onclick: stop, hidden: true }, "Stop");
  const row = h("div", { class: "row" }, add, file, why, sending, stopping);
  const element = h("form", { class: "card composer" }, chips, area, row);
  let isBusy = false;
  area.value = chat.draft;

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  area.addEventListener("keydown", (event) => {
    if (!sends(event)) return;
    event.preventDefault();
    submit();
  });
  area.addEventListener("input", () => {
    chat.draft = area.value;
    refresh();
  });
  area.addEventListener("paste", (event) => take(event, event.clipboardData));
  file.addEventListener("change", async () => {
    await attachAll([...file.files]);
    file.value = "";
  });
  // Anywhere on the page: a file that misses the form must not take the browser away from it.
  document.addEventListener("dragover", (event) => hasFiles(event.dataTransfer) && event.preventDefault(), { signal });
  document.addEventListener("drop", (event) => take(event, event.dataTransfer), { signal });
  refresh();

  function submit() {
    const text = area.value.trim();
    if (isBusy || !(text || chat.images.length || chat.files.length)) return;
    const fault = faults(chat.settings) || (chat.images.length && blind());
    if (fault) {
      complain(fault);
      return;
    }
    if (!chat.model) {
      complain("There is no model to ask.");
      return;
    }
    const { images, files } = chat;
    [chat.images, chat.files, chat.draft, area.value] = [[], [], "", ""];
    refresh();
    send({ text, images, files });
    area.focus();
  }

  function take(event, data) {
    if (!hasFiles(data)) return;
    event.preventDefault();
    if (element.isConnected) attachAll([...data.files]);
  }

  async function attachAll(files) {
    for (const one of files) {
      try {
        const { image, file: text } = await attach(one, blind());
        if (image) chat.images.push(image);
        else chat.files.push(text);
      } catch (error) {
        complain(error);
      }
    }
    refresh();
    if (!signal.aborted) area.focus();
  }

  function refresh() {
    grow();
    const reason = blind();
    say(why, reason);
    const kept = [...chat.images.map((one) => [chat.images, one]), ...chat.files.map((one) => [chat.files, one])];
    fill(chips, kept.map(([list, one]) => chip(list, one)));
    chips.hidden = kept.length === 0;
    sending.disabled = !area.value.trim() && kept.length === 0;
  }

  function chip(list, one) {
    const drop = () => {
      list.splice(list.indexOf(one), 1);
      refresh();
      area.focus();
    };
    const close = h("button", { type: "button", class: "plain", "aria-label": `Remove ${one.name}`, onclick: drop }, "×");
    return h("span", { class: "chip" }, one.url && h("img", { src: one.url, alt: "" }), h("span", {}, one.name), close);
  }

  function grow() {
    area.style.setProperty("height", "auto");
    area.style.setProperty("height", `${area.scrollHeight + 2}px`);
  }

  function busy(whether) {
    isBusy = whether;
    sending.hidden = whether;
    stopping.hidden = !whether;
  }

  return { element, focus: () => area.focus({ preventScroll: true }), busy, refresh };
}

function hasFiles(data) {
  return [...(data?.types ?? [])].includes("Files");
}
