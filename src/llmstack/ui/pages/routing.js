import { get } from "../lib/api.js";
import { append, fill, h } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { complain } from "../lib/notice.js";
import { asking } from "./routing-form.js";
import { ladderPart } from "./routing-ladder.js";
import { tracePart, verdict } from "./routing-trace.js";
import { inPlainWords } from "./routing-words.js";

export const title = "Routing";

/** The engine's own door knows nothing of decisions. */
const AT_THE_GATEWAY = "Decisions are made at the gateway's port: open this page there.";

/** Milliseconds between two looks at the ladder while requests come and go. */
const EVERY = 1000;

/** What `auto` would choose for a message, and the ladder that it climbs. */
export async function show(main, { signal }) {
  const overview = live.state.overview ?? (await get("/api/overview", { signal }));
  if (overview.kind === "swap") {
    append(main, [nothingToChoose()]);
    return;
  }
  let ladder = await get("/api/ladder", { signal });
  const drawn = ladderPart(ladder, signal);
  const decided = h("div", { class: "decision" }, placeholder());
  const summary = h("p", { class: "unseen", role: "status" });
  const form = asking({ signal, answered, failed, nothing });
  append(main, [
    h("p", { class: "intro" }, "A request for the model ", h("code", {}, "auto"), " goes to the tier that suits it. Type one to see which, and why. Nothing is sent to a model, and nothing is loaded."),
    h(
      "div",
      { class: "routing" },
      h("section", { class: "card", "aria-labelledby": "routing-ask" }, h("h2", { id: "routing-ask" }, "Request"), form.element),
      h("section", { class: "card", "aria-labelledby": "routing-decision" }, h("h2", { id: "routing-decision" }, "Decision"), summary, decided),
    ),
    drawn.element,
  ]);

  let waiting = 0;
  const soon = () => (waiting ||= setTimeout(look, EVERY));
  for (const kind of ["activity", "models", "settings", "renewed"]) live.on(kind, soon, signal);
  signal.addEventListener("abort", () => clearTimeout(waiting));
  form.ask();

  async function look() {
    waiting = 0;
    try {
      ladder = await get("/api/ladder", { signal });
      drawn.show(ladder);
      form.ask(); // what is loaded counts too
    } catch (error) {
      if (error.status) complain(error);
    }
  }

  function answered(decision) {
    drawn.place(decision);
    summary.textContent = `${decision.model} answers: ${decision.reason}`;
    fill(decided, verdict(decision), inPlainWords(decision, ladder), tracePart(decision));
  }

  function failed(error) {
    drawn.place(null);
    summary.textContent = "";
    const said = error.status === 404 ? AT_THE_GATEWAY : error.message;
    fill(decided, h("p", { class: "error", role: "alert" }, said));
  }

  function nothing() {
    drawn.place(null);
    summary.textContent = "";
    fill(decided, placeholder());
  }
}

function placeholder() {
  return h("p", { class: "quiet" }, "Type a message, and the decision appears here.");
}

function nothingToChoose() {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, "Nothing is routed here"),
    h("p", {}, "This is ", h("code", {}, "llmstack swap"), ": every request names its model, and the model that it names answers."),
    h("p", { class: "quiet" }, "Routing belongs to a stack: tiers with roles in models.ini, and requests for the model ", h("code", {}, "auto"), ". ", h("code", {}, "llmstack start"), " runs one."),
  );
}
