// Where the configuration is, and going by it again.

import { get, post } from "../lib/api.js";
import { confirm, copyButton } from "../lib/dialog.js";
import { h, say } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { tell } from "../lib/notice.js";
import { action, errorLine, section } from "./settings-parts.js";

const RESTART =
  "Models stop after their running answers and start when they are next asked for. What was set here stays.";

/** The section; `load()` asks where the file is. `onChange` is told when it was read again. */
export function configuration({ signal, onChange }) {
  const { element, body } = section("Configuration");
  const path = h("code", { class: "settings-path" });
  const unknown = errorLine();
  const ofReload = errorLine();
  const again = action("Read it again", reload, { error: ofReload });
  const atStart = h("p", { class: "quiet", hidden: true }, "It is read when the daemon starts; after an edit: ", h("code", {}, "llmstack restart"));
  const ofRestart = errorLine();

  async function reload() {
    const { msg, detail } = await post("/api/config/reload", undefined, { signal });
    tell(`${msg}: ${detail}`);
    onChange();
  }

  async function restart() {
    if (!(await confirm("Restart the models", RESTART, "Restart"))) return;
    const { detail } = await post("/api/restart", undefined, { signal });
    tell(detail);
    onChange();
  }

  body.append(
    h("p", { class: "row" }, "File: ", path, copyButton(() => path.textContent, "Copy the path")),
    unknown.element,
    atStart,
    h("div", { class: "row" }, again, action("Restart the models", restart, { error: ofRestart })),
    ofReload.element,
    ofRestart.element,
  );

  async function load() {
    try {
      say(path, (await get("/api/config/path", { signal })).configPath);
      const { kind } = live.state.overview ?? (await get("/api/overview", { signal }));
      again.hidden = kind === "stack";
      atStart.hidden = !again.hidden;
      unknown.show();
    } catch (problem) {
      unknown.show(problem);
    }
  }

  return { element, load };
}
