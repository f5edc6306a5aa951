// Profiles: sets of names that mean other models while one is active.

import { get, put } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import * as live from "../lib/live.js";
import { tell } from "../lib/notice.js";
import { errorLine, id, section } from "./settings-parts.js";

const NONE = "";

/** The section; `load()` asks for the profiles. */
export function profiles({ signal }) {
  const { element, body } = section("Profiles", "While a profile is active, some names mean other models.");
  const error = errorLine();
  const content = h("div");
  body.append(error.element, content);

  async function load() {
    try {
      const told = await get("/api/profiles", { signal });
      fill(content, told.profiles.length ? choice(told) : nothing());
      error.show();
    } catch (problem) {
      error.show(problem);
    }
  }

  function choice({ active, profiles: rows }) {
    const name = id("profile");
    const options = [
      radio(name, NONE, "None", "Every name means what is configured.", !active),
      ...rows.map((row) => radio(name, row.id, row.id, row.description, row.id === active, row.pins)),
    ];
    const form = h(
      "form",
      { class: "settings-profiles" },
      h("fieldset", {}, h("legend", {}, `Active: ${active || "none"}`), options),
      h("button", { type: "submit" }, "Switch"),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const chosen = new FormData(form).get(name) || null;
      try {
        await put("/api/profiles/active", { name: chosen }, { signal });
        tell(chosen ? `The profile ${chosen} is active.` : "No profile is active.");
        await load();
        content.querySelector("input:checked")?.focus();
      } catch (problem) {
        error.show(problem);
      }
    });
    return form;
  }

  live.on("profile", load, signal);
  return { element, load };
}

function nothing() {
  return h("p", { class: "quiet" }, "The configuration names no profiles.");
}

function radio(name, value, title, description, checked, pins = {}) {
  const input = h("input", { type: "radio", name, value, checked });
  const meant = Object.entries(pins).map(([from, to]) => (to ? `${from} → ${to}` : `${from} is switched off`));
  return h(
    "label",
    { class: "settings-profile" },
    input,
    h("span", {}, h("strong", {}, title), " ", description, h("span", { class: "quiet" }, ` ${meant.join(", ")}`)),
  );
}
