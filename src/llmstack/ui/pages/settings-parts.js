// What the sections of the settings are made of.

import { del } from "../lib/api.js";
import { fill, h, say, set } from "../lib/dom.js";
import { tell } from "../lib/notice.js";

let last = 0;

/** A name for an element that others refer to. */
export function id(stem) {
  last += 1;
  return `${stem}-${last}`;
}

/** A part of the page with a heading; `body` is where its content goes. */
export function section(title, intro) {
  const heading = id("settings");
  const body = h("div", { class: "settings-body" });
  const element = h(
    "section",
    { class: "card settings-section", "aria-labelledby": heading },
    h("h2", { id: heading }, title),
    intro && h("p", { class: "quiet" }, intro),
    body,
  );
  return { element, body };
}

/** Where an error is said, beside what caused it; `show(error)` with nothing takes it back. */
export function errorLine() {
  const element = h("p", { class: "error settings-error", role: "alert", id: id("error"), hidden: true });
  return {
    element,
    show(error) {
      if (error?.name === "AbortError") return;
      element.hidden = !error;
      say(element, error ? (error.message ?? String(error)) : "");
    },
  };
}

/** A button that does `work`, one at a time, and says beside it what went wrong. */
export function action(label, work, { error, kind, ...attributes } = {}) {
  const button = h("button", { type: "button", class: kind, ...attributes }, label);
  button.addEventListener("click", async () => {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    error.show();
    try {
      await work();
    } catch (problem) {
      error.show(problem);
    } finally {
      button.ariaBusy = "false";
    }
  });
  return button;
}

/** A control for whole numbers. */
export function numberControl(name, label, { min, max, unit, words } = {}) {
  const input = h("input", { type: "number", step: 1, min, max, required: true, inputmode: "numeric" });
  const told = (value) => Number(value).toLocaleString() + (unit ? ` ${unit}` : "");
  return {
    name,
    label,
    unit,
    input,
    read: () => (input.value === "" ? null : Number(input.value)),
    write: (value) => (input.value = value === null || value === undefined ? "" : String(value)),
    words: (value) => (value === null || value === undefined ? "not said" : (words ?? told)(value)),
  };
}

/** A control that offers `choices`: pairs of a value and what it is called. */
export function choiceControl(name, label, choices) {
  const input = h("select", {}, choices.map(([, title], place) => h("option", { value: place }, title)));
  return {
    name,
    label,
    input,
    read: () => choices[Number(input.value)]?.[0] ?? null,
    write: (value) => (input.value = String(choices.findIndex(([one]) => one === value))),
    words: (value) => choices.find(([one]) => one === value)?.[1] ?? "not said",
  };
}

/**
 * A setting: its controls, what is configured, and whether that is overridden. It is kept on its
 * own, by `save(values)`, which gets what was changed; `reset()` goes by the configuration again. Both return the row as it is
 * then: `{configured, override, effective, notes}`, the first three with a member for each control
 * (or null). `extra` are more elements beside the controls. `onChange` is told of what was kept.
 */
export function setting({ title, help, controls, save, reset, extra = [], onChange }) {
  const named = id("setting");
  const about = id("about");
  const error = errorLine();
  const alone = controls.length === 1;
  for (const control of controls) {
    control.input.id = id("control");
    set(control.input, "aria-describedby", `${about} ${error.element.id}`);
  }
  const heading = alone ? h("label", { for: controls[0].input.id }, title) : title;
  const saveButton = h("button", { type: "submit" }, "Save");
  const resetButton = h("button", { type: "button", "aria-describedby": named }, "Reset");
  const state = h("p", { class: "setting-state" });
  const element = h(
    "form",
    { class: "setting", novalidate: true },
    h("div", alone ? {} : { role: "group", "aria-labelledby": named }, [
      h("h3", { id: named }, heading),
      help && h("p", { class: "quiet", id: about }, help),
      h("div", { class: "row ends" }, [
        controls.map((control) => field(control, alone)),
        extra,
        saveButton,
        resetButton,
      ]),
      error.element,
      state,
    ]),
  );
  let row = null;
  let busy = false;

  const differs = (one) => row !== null && one.read() !== (row.effective?.[one.name] ?? null);
  const changed = () => controls.some(differs);

  function mark() {
    saveButton.classList.toggle("primary", changed());
    set(saveButton, "aria-disabled", changed() ? null : "true");
  }

  function update(now, { keepTyped = true } = {}) {
    const typed = keepTyped && changed();
    row = now;
    if (!typed) for (const one of controls) one.write(now.effective?.[one.name]);
    resetButton.hidden = !now.override;
    const words = controls.map((one) => one.words(now.configured?.[one.name])).join(", ");
    fill(state, [
      now.override && h("span", { class: "badge warn" }, "overridden"),
      ` Configured: ${words}. `,
      (now.notes ?? []).filter(Boolean).map((note) => h("span", { class: "setting-note" }, `${note} `)),
    ]);
    mark();
  }

  async function run(work, done) {
    if (busy) return;
    busy = true;
    complainOf(null);
    try {
      update(await work(), { keepTyped: false });
      tell(done);
      controls[0].input.focus(); // the button may be gone
      onChange?.();
    } catch (problem) {
      if (problem.name !== "AbortError") complainOf(controls[0], problem);
    } finally {
      busy = false;
    }
  }

  function complainOf(control, problem) {
    for (const one of controls) set(one.input, "aria-invalid", one === control ? "true" : null);
    error.show(problem);
  }

  element.addEventListener("input", () => {
    complainOf(null);
    mark();
  });
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = controls.find((one) => !one.input.checkValidity());
    if (wrong) {
      complainOf(wrong, wrong.input.validationMessage);
      wrong.input.focus();
    } else if (changed()) {
      const values = Object.fromEntries(controls.filter(differs).map((one) => [one.name, one.read()]));
      run(() => save(values), `${title}: saved.`);
    }
  });
  resetButton.addEventListener("click", () => run(reset, `${title}: as configured.`));
  return { element, update };
}

/** The label and the control, with its unit. */
export function field({ input, label, unit }, unlabelled = false) {
  return h("div", { class: "field" }, [
    !unlabelled && h("label", { for: input.id }, label),
    unit ? h("span", { class: "with-unit" }, input, h("span", { class: "quiet" }, unit)) : input,
  ]);
}

/** Take an override back; one that is gone already is no error. */
export async function takeBack(path) {
  try {
    return await del(path);
  } catch (error) {
    if (error.status === 404) throw new Error("It is not configured any more. “Reset all” removes it.");
    throw error;
  }
}
