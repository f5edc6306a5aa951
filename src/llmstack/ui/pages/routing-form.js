// What is to be routed: a message or a whole request, where it would go, and its headers.

import { send } from "../lib/api.js";
import { h, say, set } from "../lib/dom.js";

/** Milliseconds without a key after which what was typed is asked for. */
const TYPED = 250;
const PATHS = {
  "/v1/chat/completions": (text) => ({ messages: [{ role: "user", content: text }] }),
  "/v1/messages": (text) => ({ max_tokens: 1024, messages: [{ role: "user", content: text }] }),
  "/v1/responses": (text) => ({ input: text }),
  "/v1/completions": (text) => ({ prompt: text }),
  "/v1/messages/count_tokens": (text) => ({ messages: [{ role: "user", content: text }] }),
};
const MODES = [
  ["", "Says nothing"],
  ["plan", "plan"],
  ["build", "build"],
  ["title", "title"],
  ["summary", "summary"],
  ["compaction", "compaction"],
];
const EXAMPLES = [
  ["A plan", "Design the architecture of a cache for our web shop, and name the trade-offs."],
  ["Code", "Write a Go function that multiplies two numbers."],
  ["A trigger", "ultra: why does this lock order lead to a deadlock?"],
];

/** What was typed last; it outlives the page. */
const kept = { text: "", body: "", whole: false, path: Object.keys(PATHS)[0], mode: "", session: "" };

/**
 * The form. `answered(decision)`, `failed(error)` and `nothing()` are told what comes of it.
 *
 * Returns `{element, ask}`; `ask()` asks for the same again.
 */
export function asking({ signal, answered, failed, nothing }) {
  let asked = new AbortController();
  let typed = 0;
  const text = h("textarea", { id: "routing-text", rows: 6, spellcheck: "false", placeholder: "Paste or type what a user would say" });
  const body = h("textarea", { id: "routing-body", rows: 10, spellcheck: "false", class: "body", placeholder: '{"messages": [{"role": "user", "content": "…"}], "tools": [ … ]}' });
  const problem = h("p", { class: "error", hidden: true, id: "routing-problem" });
  const whole = h("input", { type: "checkbox" });
  const path = h("select", {}, Object.keys(PATHS).map((value) => h("option", { value }, value)));
  const mode = h("select", {}, MODES.map(([value, label]) => h("option", { value }, label)));
  const session = h("input", { size: 16, autocomplete: "off", placeholder: "none" });
  const message = h("div", { class: "field" }, h("label", { for: "routing-text" }, "Message"), text, examples());
  const request = h("div", { class: "field" }, h("label", { for: "routing-body" }, "The request's body as JSON"), body, problem);
  text.value = kept.text;
  body.value = kept.body;
  whole.checked = kept.whole;
  path.value = kept.path;
  mode.value = kept.mode;
  session.value = kept.session;
  const element = h(
    "form",
    { class: "ask", onsubmit: submitted, oninput: changed },
    message,
    request,
    h("label", { class: "check" }, whole, "Give a whole request instead of a message"),
    h(
      "div",
      { class: "row ends" },
      labelled("Sent to", path),
      labelled("The client's mode", mode),
      labelled("Session id of the client", session),
    ),
  );
  signal.addEventListener("abort", () => clearTimeout(typed));
  showParts();
  return { element, ask };

  function submitted(event) {
    event.preventDefault();
    ask();
  }

  function changed(event) {
    Object.assign(kept, { text: text.value, body: body.value, whole: whole.checked, path: path.value, mode: mode.value, session: session.value });
    if (event.target === whole) takeOver();
    clearTimeout(typed);
    typed = setTimeout(ask, TYPED);
  }

  /** A whole request begins as that of the message. */
  function takeOver() {
    if (kept.whole && !body.value.trim() && text.value) {
      body.value = kept.body = JSON.stringify(PATHS[path.value](text.value), null, 2);
    }
    showParts();
  }

  function showParts() {
    message.hidden = whole.checked;
    request.hidden = !whole.checked;
  }

  async function ask() {
    asked.abort();
    const here = (asked = new AbortController());
    const told = read();
    if (told === null) {
      nothing();
      return;
    }
    const headers = {};
    if (mode.value) headers["x-llmstack-mode"] = mode.value;
    if (session.value.trim()) headers["x-session-id"] = encodeURI(session.value.trim());
    try {
      const address = `/api/route?path=${encodeURIComponent(path.value)}`;
      const answer = await send("POST", address, told, { headers, signal: AbortSignal.any([signal, here.signal]) });
      const decision = await answer.json();
      if (asked === here) answered(decision);
    } catch (error) {
      if (error.name !== "AbortError") failed(error);
    }
  }

  /** The body to ask for; null if there is none yet, or it is no JSON. */
  function read() {
    problem.hidden = true;
    set(body, "aria-invalid", false);
    set(body, "aria-describedby", false);
    if (!whole.checked) return text.value.trim() ? PATHS[path.value](text.value) : null;
    if (!body.value.trim()) return null;
    try {
      return JSON.parse(body.value);
    } catch (error) {
      say(problem, `This is no JSON yet: ${error.message}`);
      problem.hidden = false;
      set(body, "aria-invalid", "true");
      set(body, "aria-describedby", "routing-problem");
      return null;
    }
  }

  function examples() {
    const buttons = EXAMPLES.map(([name, said]) =>
      h("button", { type: "button", onclick: () => fillIn(said) }, name),
    );
    return h("div", { class: "row examples" }, h("span", { class: "quiet" }, "For example:"), buttons);
  }

  function fillIn(said) {
    text.value = kept.text = said;
    ask();
  }
}

function labelled(label, input) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), input);
}
