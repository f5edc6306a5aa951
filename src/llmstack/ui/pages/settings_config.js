// Where the configuration is, and going by it again.

import { get, post } from "../lib/api.js";
import { confirm, copyButton } from "../lib/dialog.js";
import { h, say } from "../lib/dom.js";
import { tell } from "../lib/notice.js";
import { action, errorLine, section } from "./settings_parts.js";

const RESTART =
  "Models stop after their running answers and start when they are next asked for. What was set here stays.";

/** The section; `load()` asks where the file is. `onChange` is told when it was read again. */
export function configuration({ signal, onChange }) {
  const { element, body } = section("Configuration");
  const path = h("code", { class: "settings-path" });
  const unknown = errorLine();
  const ofReload = errorLine();
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
    h("div", { class: "row" },
      action("Read it again", reload, { error: ofReload }),
      action("Restart the models", restart, { error: ofRestart }),
    ),
    ofReload.element,
    ofRestart.element,
  );

  async function load() {
    try {
      say(path, (await get("/api/config/path", { signal })).configPath);
      unknown.show();
    } catch (problem) {
      unknown.show(problem);
    }
  }

  return { element, load };
}
