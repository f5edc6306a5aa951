// The numbers and switches of `auto`.

import { del, get, put } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { choiceControl, errorLine, numberControl, section, setting } from "./settings-parts.js";

const SWITCH = [
  [true, "on"],
  [false, "off"],
];

/** The section; `load()` asks for its numbers, `onChange` is told when one was set. */
export function routing({ signal, onChange }) {
  const { element, body } = section(
    "Routing",
    "What “auto” goes by. A change holds for the next request and does not touch models.ini.",
  );
  const error = errorLine();
  const list = h("div");
  body.append(error.element, list);
  const forms = new Map();

  function formOf(row) {
    const path = `/api/settings/${encodeURIComponent(row.key)}`;
    const control =
      row.type === "boolean"
        ? choiceControl("value", row.label, SWITCH)
        : numberControl("value", row.label, { min: row.min, max: row.max, unit: row.unit });
    return setting({
      title: row.label,
      help: plain(row.help),
      controls: [control],
      save: async ({ value }) => asRow(await put(path, { value }, { signal })),
      reset: async () => asRow(await del(path, { signal })),
      onChange,
    });
  }

  async function load() {
    try {
      const { settings } = await get("/api/settings", { signal });
      error.show();
      for (const row of settings) {
        if (!forms.has(row.key)) {
          forms.set(row.key, formOf(row));
          list.append(forms.get(row.key).element);
        }
        forms.get(row.key).update(asRow(row));
      }
      if (settings.length === 0) {
        fill(list, h("p", { class: "quiet" }, "There is no “auto” here: it is part of a stack (llmstack start)."));
      }
    } catch (problem) {
      error.show(problem);
    }
  }

  return { element, load };
}

function asRow({ configured, override, effective }) {
  return {
    configured: { value: configured },
    override: override === null ? null : { value: override },
    effective: { value: effective },
  };
}

/** The reference's words without its marks for code. */
const plain = (help) => String(help ?? "").replaceAll("`", "");
