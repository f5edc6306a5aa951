// Memory of every device: a bar with each model's share, what others use, and what is free.

import { h, keyed, say, set } from "../lib/dom.js";
import { bytes, percent } from "../lib/format.js";
import { colourOf } from "./overview-colours.js";

/** `{element, show(overview)}`. */
export function devices() {
  const list = h("div", { class: "devices" });
  const none = h("p", { class: "quiet" }, "This machine does not say how much memory it has.");
  const element = h("section", { class: "card" }, h("h2", {}, "Memory"), list, none);
  function show(overview) {
    none.hidden = overview.devices.length > 0;
    keyed(list, overview.devices, ({ id }) => id, device, (one, now) => update(one, now, overview));
  }
  return { element, show };
}

function device() {
  return h(
    "div",
    { class: "device" },
    h("div", { class: "row spread" }, h("h3"), h("span", { class: "quiet" })),
    h("div", { class: "bar", role: "img" }),
    h("ul", { class: "shares" }),
  );
}

function update(element, told, overview) {
  const [head, bar, list] = element.children;
  const { parts, free, of } = shares(told, overview);
  say(head.firstChild, told.id === "host" ? "Main memory" : told.name || told.id);
  say(head.lastChild, `${bytes(told.used)} of ${bytes(told.total)} used`);
  const words = parts.map((part) => `${part.name} ${amount(part)}`);
  set(bar, "aria-label", `${head.firstChild.textContent}: ${[...words, `${bytes(free)} free`].join(", ")}`);
  keyed(bar, parts, ({ key }) => key, () => h("span"), (span, part) => {
    set(span, "class", [part.colour, part.estimated && "estimated"]);
    set(span, "style", { width: `${((100 * part.bytes) / of).toFixed(3)}%` });
    set(span, "title", `${part.name}: ${amount(part)}`);
  });
  const all = [...parts, { key: "free", name: "Free", bytes: free, colour: "free" }];
  keyed(list, all, ({ key }) => key, share, (li, part) => {
    set(li.firstChild, "class", ["swatch", part.colour, part.estimated && "estimated"]);
    say(li.children[1], part.name);
    say(li.children[2], amount(part));
    say(li.children[3], percent(part.bytes / of));
  });
}

function share() {
  return h(
    "li",
    {},
    h("span", { class: "swatch", "aria-hidden": "true" }),
    h("span", { class: "share-name" }),
    h("span", { class: "share-bytes" }),
    h("span", { class: "share-part quiet" }),
  );
}

/** What the bar is made of. Estimates may be more than is used: then others are said to use nothing. */
function shares({ total, used, models }, overview) {
  const known = new Map(overview.models.map((model) => [model.id, model]));
  const own = models
    .filter((model) => model.bytes > 0)
    .map((model) => ({
      key: `model ${model.id}`,
      name: known.get(model.id)?.name || model.id,
      bytes: model.bytes,
      estimated: model.estimated,
      colour: colourOf(model.id, overview),
    }));
  const sum = own.reduce((all, { bytes: size }) => all + size, 0);
  const others = Math.max(0, used - sum);
  const rest = { key: "others", name: "Other programs", bytes: others, colour: "others" };
  const parts = others ? [...own, rest] : own;
  return { parts, free: Math.max(0, total - Math.max(used, sum)), of: Math.max(total, used, sum, 1) };
}

function amount({ bytes: size, estimated }) {
  return estimated ? `about ${bytes(size)}` : bytes(size);
}
