// Settings: what is configured, what is set over it at run time, profiles, keys.

import * as live from "../lib/live.js";
import { configuration } from "./settings-config.js";
import { keys } from "./settings-keys.js";
import { models } from "./settings-models.js";
import { overrides } from "./settings-overrides.js";
import { profiles } from "./settings-profiles.js";
import { routing } from "./settings-routing.js";

export const title = "Settings";

export async function show(main, { signal }) {
  // A change in one place shows in the others: the list of overrides, a model's line.
  const onChange = async () => {
    const [overridden] = await Promise.all([list.load(), numbers.load(), byModel.refresh()]);
    byModel.show(overridden);
  };
  const context = { signal, onChange };
  const list = overrides(context);
  const numbers = routing(context);
  const byModel = models(context);
  const rest = [profiles(context), keys(context), configuration(context)];
  main.append(...[list, numbers, byModel, ...rest].map((part) => part.element));

  const load = () => Promise.all([onChange(), ...rest.map((part) => part.load())]);
  live.on("settings", onChange, signal);
  live.on("renewed", load, signal);
  await load();
}
