// Everything that was set at run time, and the way back.

import { del, get, inPath } from "../lib/api.js";
import { confirm } from "../lib/dialog.js";
import { h, keyed, say } from "../lib/dom.js";
import { tell } from "../lib/notice.js";
import { wordsOf } from "./settings-models.js";
import { action, errorLine, section, takeBack } from "./settings-parts.js";

/** What can be set for a model: the member's name, what it is called, and where it is taken back. */
const KINDS = [
  [["ctx_size"], "ctxsize"],
  [["fit", "fit_mode"], "fit"],
  [["policy", "truncation"], "prompt-optimization"],
  [["pinned"], "pin"],
];

/** The section; `load()` returns the overrides by model. `onChange` is told when one was reset. */
export function overrides({ signal, onChange }) {
  const { element, body } = section("Overrides", "What was set here goes over the configuration until it is reset.");
  const error = errorLine();
  const none = h("p", { class: "quiet", role: "status" });
  const kept = h("p", { class: "quiet" });
  const list = h("ul", { class: "settings-overrides", "aria-label": "Overrides" });
  const all = action("Reset all", resetAll, { error, kind: "danger" });
  body.append(none, list, error.element, h("div", { class: "row" }, all, kept));
  let count = 0;

  async function resetAll() {
    const what = `Go by the configuration again in all that is listed (${count})? Models that run change at their next start.`;
    if (!(await confirm("Reset all overrides", what, "Reset all"))) return;
    await del("/api/overrides", { signal });
    await del("/api/settings", { signal });
    tell("Everything is as configured.");
    none.tabIndex = -1;
    await onChange();
    none.focus(); // the button is gone
  }

  function line(item) {
    const problem = errorLine();
    const words = h("span");
    const reset = action("Reset", async () => {
      await takeBack(item.path);
      tell(`${item.title}: as configured.`);
      await onChange();
      (list.querySelector("button") ?? none).focus();
    }, { error: problem });
    const made = h("li", {}, h("strong", {}, item.title), words, reset, problem.element);
    made.words = words;
    made.reset = reset;
    return made;
  }

  async function load() {
    let models = {};
    try {
      const [told, numbers] = await Promise.all([
        get("/api/overrides", { signal }),
        get("/api/settings", { signal }),
      ]);
      models = told.models;
      const items = [...ofRouting(numbers.settings), ...ofModels(models)];
      count = items.length;
      keyed(list, items, (item) => item.path, line, (made, item) => {
        say(made.words, item.words);
        made.reset.ariaLabel = `Reset ${item.title}: ${item.words}`;
      });
      say(none, count ? "" : "Nothing is overridden: everything is as configured.");
      all.hidden = count === 0;
      const short = !told.persisted && count > 0;
      say(kept, short ? "They are kept in memory only, and end with the daemon." : "");
      error.show();
    } catch (problem) {
      error.show(problem);
    }
    return models;
  }

  return { element, load };
}

function ofRouting(settings) {
  return settings
    .filter((row) => row.override !== null)
    .map((row) => ({
      title: row.label,
      words: `${said(row.override, row.unit)} instead of ${said(row.configured, row.unit)}`,
      path: `/api/settings/${encodeURIComponent(row.key)}`,
    }));
}

function said(value, unit) {
  if (typeof value === "boolean") return value ? "on" : "off";
  return unit ? `${Number(value).toLocaleString()} ${unit}` : Number(value).toLocaleString();
}

function ofModels(models) {
  return Object.entries(models).flatMap(([model, override]) =>
    KINDS.map(([members, what]) => {
      const mine = Object.fromEntries(Object.entries(override).filter(([name]) => members.includes(name)));
      return { title: model, words: wordsOf(mine), path: `/api/model/${inPath(model)}/${what}` };
    }).filter((item) => item.words),
  );
}
