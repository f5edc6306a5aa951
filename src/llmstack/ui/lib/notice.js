// Says what happened: shown for a while, and read out.

import { h } from "./dom.js";

/** Milliseconds for which a notice stays; problems stay until they are closed. */
const STAYS = 5000;

const region = h("div", { class: "notices", role: "status", "aria-live": "polite" });
document.body.append(region);

/** Say that something went well. */
export function tell(text) {
  const note = add(text, "good");
  setTimeout(() => note.remove(), STAYS);
}

/** Say what went wrong: an error or a text. An abort is not one. */
export function complain(error) {
  if (error?.name !== "AbortError") add(error?.message ?? String(error), "bad");
}

/** Do `work` and complain if it fails; whether it went well. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/**
 * Put the notices where they are seen and can be closed: in the dialog on top, if there is one
 * apart from `leaving`.
 */
export function place(leaving = null) {
  const open = [...document.querySelectorAll("dialog[open]")].filter((dialog) => dialog !== leaving);
  const onTop = open.at(-1) ?? document.body;
  if (region.parentNode !== onTop) onTop.append(region);
}

function add(text, kind) {
  const close = h("button", { type: "button", class: "plain", "aria-label": "Close this message" }, "×");
  const note = h("div", { class: ["notice", kind] }, h("p", {}, text), close);
  close.addEventListener("click", () => note.remove());
  region.append(note);
  while (region.children.length > 5) region.firstChild.remove();
  return note;
}
