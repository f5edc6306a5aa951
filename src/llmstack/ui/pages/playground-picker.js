// Chooses a model.

import { h } from "../lib/dom.js";

const ORDER = ["", "Models", "Hosted", "Selectors", "Peers", "Found", "Other names"];

/**
 * A list to choose one of `models` from: `{element, value()}`. `chosen` is taken if it is there,
 * else the first. `onchange(name)` is told another choice.
 */
export function picker({ models, label, chosen, onchange }) {
  const groups = ORDER.map((group) => [group, models.filter((one) => one.group === group)]);
  const options = (group) => group.map(({ id, title }) => h("option", { value: id, title }, id));
  const select = h(
    "select",
    { "aria-label": label },
    groups
      .filter(([, group]) => group.length)
      .map(([name, group]) => (name ? h("optgroup", { label: name }, options(group)) : options(group))),
  );
  const sorted = groups.flatMap(([, group]) => group);
  select.value = models.some(({ id }) => id === chosen) ? chosen : (sorted[0]?.id ?? "");
  select.addEventListener("change", () => onchange?.(select.value));
  return { element: h("label", { class: "row picker" }, h("span", { class: "quiet" }, label), select), value: () => select.value };
}
