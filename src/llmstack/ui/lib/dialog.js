// Questions that have to be answered first, and texts that are copied.

import { h } from "./dom.js";
import { complain, place, tell } from "./notice.js";

let opened = 0;

/**
 * Show `content` in a dialog with a title; `buttons` are elements for its foot.
 *
 * Returns the `<dialog>`, which is gone once it is closed. Escape closes it.
 */
export function dialog(title, content, buttons = []) {
  opened += 1;
  const heading = h("h2", { id: `dialog-title-${opened}` }, title);
  const close = h("button", { type: "button", class: "plain", "aria-label": "Close" }, "×");
  const element = h(
    "dialog",
    { "aria-labelledby": heading.id },
    h("header", {}, heading, close),
    h("div", { class: "dialog-body" }, content),
    buttons.length > 0 && h("footer", {}, buttons),
  );
  close.addEventListener("click", () => element.close());
  element.addEventListener("close", () => {
    place(element);
    element.remove();
  });
  document.body.append(element);
  element.showModal();
  place();
  return element;
}

/** Whether the user wants `what`; `action` is what the button says. */
export function confirm(title, what, action = "Yes") {
  return new Promise((resolve) => {
    const yes = h("button", { type: "button", class: "danger" }, action);
    const no = h("button", { type: "button" }, "Cancel");
    const element = dialog(title, h("p", {}, what), [no, yes]);
    yes.addEventListener("click", () => element.close("yes"));
    no.addEventListener("click", () => element.close());
    element.addEventListener("close", () => resolve(element.returnValue === "yes"));
    no.focus();
  });
}

/** A button that copies what `text()` returns. */
export function copyButton(text, label = "Copy") {
  return h("button", { type: "button", onclick: () => copy(text()) }, label);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied.");
  } catch {
    complain("The browser does not allow copying here; select the text instead.");
  }
}
