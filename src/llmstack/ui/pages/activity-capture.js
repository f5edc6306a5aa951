// The bodies of a request and its answer, where they were kept. Always text.

import { get } from "../lib/api.js";
import { copyButton } from "../lib/dialog.js";
import { fill, h } from "../lib/dom.js";
import { bytes as size, count } from "../lib/format.js";
import { answerOf, decoded, eventsOf, jsonOf, messagesOf, restOf, textOf } from "./activity-bodies.js";

/** Characters of a text that are shown at once. */
const SHOWN = 20_000;
/** The same of one message among others. */
const MESSAGE = 3000;

/** Roles that look different. */
const ROLES = ["user", "assistant"];
const PARTS = { reasoning: "Reasoning", call: "Calls", result: "Result", error: "Error" };

/** What there is of the bodies of `row`, or how to have them kept. */
export function capturePart(row, captured, signal) {
  if (!captured) return howToCapture();
  const element = h("div", { class: "capture" }, h("p", { class: "quiet" }, "Loading …"));
  load();
  return element;

  async function load() {
    try {
      const found = await get(`/api/captures/${row.id}`, { signal });
      const answer = found.resp_body === null ? null : await read(found.resp_body);
      const request = found.req_body === null ? null : await read(found.req_body);
      fill(
        element,
        bodyView("Request", `request-${row.id}`, request, messagesOf, found.req_headers),
        bodyView("Answer", `answer-${row.id}`, answer, answerOf, found.resp_headers),
      );
    } catch (error) {
      if (error.name !== "AbortError") fill(element, h("p", { class: "error" }, error.message));
    }
  }
}

function howToCapture() {
  return [
    h("p", {}, "The bodies of this request are not kept."),
    h(
      "p",
      { class: "quiet" },
      "Prompts and answers are not stored unless you ask for it, so this is off by default. With ",
      h("code", {}, "capture_buffer = 16"),
      " under ",
      h("code", {}, "[DEFAULT]"),
      " in models.ini (captureBuffer in a llama-swap configuration), the newest ones are kept, in memory only, within so many megabytes.",
    ),
  ];
}

async function read(base64) {
  const bytes = await decoded(base64);
  const text = textOf(bytes);
  const json = text === null ? undefined : jsonOf(text);
  return { bytes, text, json, events: text === null || json !== undefined ? null : eventsOf(text) };
}

/** One body with its views. `messages` reads what is said in it. */
function bodyView(label, name, body, messages, headers) {
  const heading = h("h4", {}, label);
  if (body === null) {
    return h("section", {}, heading, h("p", { class: "quiet" }, "It was not kept: bodies of errors, media, and what is too large are not."), headerList(headers));
  }
  const views = viewsOf(body, messages);
  const place = h("div", { class: "body-view" });
  const buttons = Object.keys(views).map((view) =>
    h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(view) }, view),
  );
  const file = h("a", { class: "button", download: `${name}.${body.json === undefined ? "txt" : "json"}` }, "Download");
  file.addEventListener("click", () => aim(file, body.bytes));
  file.setAttribute("href", "#");
  choose(Object.keys(views)[0]);
  return h(
    "section",
    {},
    h(
      "div",
      { class: "row spread" },
      h("div", { class: "row" }, heading, h("span", { class: "quiet" }, size(body.bytes.length))),
      h("div", { class: "row" }, h("div", { class: "row views", role: "group", "aria-label": `${label} as` }, buttons), body.text !== null && copyButton(() => body.text, "Copy"), file),
    ),
    place,
    headerList(headers),
  );

  function choose(view) {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === view));
    fill(place, views[view]());
  }
}

/** The views of a body by their names, the best one first. */
function viewsOf({ bytes, text, json, events }, messages) {
  if (text === null) return { Raw: () => h("p", {}, `${size(bytes.length)} that are no text.`) };
  const value = json ?? events;
  const said = value === null || value === undefined ? null : readable(value, messages);
  const views = {};
  if (said) views.Conversation = () => conversation(said, json);
  if (json !== undefined) views.JSON = () => long(JSON.stringify(json, null, 2), SHOWN);
  if (events) views.Events = () => long(events.map(written).join("\n"), SHOWN);
  views.Raw = () => long(text, SHOWN);
  return views;
}

/** What is said in a body; null too if it is not what it looks like. */
function readable(value, messages) {
  try {
    return messages(value);
  } catch {
    return null;
  }
}

const written = (event) => (typeof event === "string" ? event : JSON.stringify(event));

function conversation(messages, json) {
  const rest = restOf(json);
  return [
    messages.map(({ role, parts }) =>
      h("article", { class: ["message", ROLES.includes(role) && role] }, h("h5", {}, role), parts.length > 0 ? parts.map(shownPart) : h("p", { class: "quiet" }, "(nothing)")),
    ),
    rest.length > 0 && h("details", {}, h("summary", {}, "Everything else"), pairs(rest)),
  ];
}

function shownPart({ kind, text }) {
  if (kind === "text") return long(text, MESSAGE);
  return h("div", { class: ["part", kind] }, h("span", { class: "label" }, PARTS[kind] ?? kind), long(text, MESSAGE));
}

/** A text, its end hidden behind a button if it is long. */
function long(text, most) {
  if (text.length <= most) return h("pre", {}, text);
  const shown = h("pre", {}, text.slice(0, most));
  const more = h("button", { type: "button" }, `Show all ${count(text.length)} characters`);
  more.addEventListener("click", () => {
    shown.textContent = text;
    more.remove();
  });
  return [shown, more];
}

function headerList(headers) {
  const told = Object.entries(headers ?? {});
  return told.length > 0 && h("details", {}, h("summary", {}, "Headers"), pairs(told));
}

function pairs(told) {
  return h("dl", { class: "header-list" }, told.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Let a link give `bytes` as a file, whatever is in them. */
function aim(link, bytes) {
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.setAttribute("href", address);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
