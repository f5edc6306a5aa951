// Which models there are, and what each of them can do.

import { get, inPath } from "../lib/api.js";
import * as live from "../lib/live.js";

const GROUPS = { model: "Models", hosted: "Hosted", found: "Found", peer: "Peers", selector: "Selectors" };
const EMBEDS = /\s--embeddings?(\s|=|$)/;
const RERANKS = /\s--rerank(ing)?(\s|=|$)/;

/**
 * The models of this daemon: `{id, local, group, title, chats, sees, embeds, reranks, draws}`.
 *
 * `local` is the model's own name if it runs here. `sees` is whether it takes images, null where its
 * record does not tell.
 */
export async function offers(signal) {
  const [listed, commands] = await Promise.all([get("/v1/models", { signal }), commandsOf(signal)]);
  return listed.data.map((record) => offer(record, commands));
}

function offer(record, commands) {
  const about = record.meta?.llamaswap ?? {};
  const able = record.capabilities ?? {};
  const local = about.type === "model" ? record.id : about.type === "alias" ? about.modelID : null;
  const command = commands.get(local) ?? "";
  const takes = record.architecture?.input_modalities;
  const gives = record.architecture?.output_modalities;
  const foreign = local === null && record.id !== "auto";
  // Nobody else tells that a hosted model makes vectors than its name.
  const named = foreign ? `${record.id} ${about.upstream_model ?? ""}` : "";
  const embeds = about.embedding === true || EMBEDS.test(command) || /embed/i.test(named);
  const reranks = able.reranker === true || RERANKS.test(command) || /rerank/i.test(named);
  const draws = able.image_generation === true;
  return {
    id: record.id,
    local,
    group: record.id === "auto" ? "" : (GROUPS[about.type] ?? "Other names"),
    title: record.description ?? "",
    chats: !embeds && !reranks && (!gives || gives.includes("text")),
    sees: able.vision === true ? true : takes ? takes.includes("image") : null,
    embeds: embeds && !reranks,
    reranks,
    draws,
  };
}

/** The command lines of local models, where this client may see them. */
async function commandsOf(signal) {
  const [rows, running] = await Promise.all([
    get("/api/models", { signal }).catch(() => ({})),
    get("/running", { signal }).catch(() => ({})),
  ]);
  return new Map([
    ...(running.running ?? []).map(({ model, cmd }) => [model, cmd ?? ""]),
    ...(rows.models ?? []).flatMap(({ id, command }) => (command ? [[id, String(command)]] : [])),
  ]);
}

/** Whether a local model is ready now. */
export function isReady(local) {
  return live.state.models.some(({ id, state }) => id === local && state === "ready");
}

/**
 * What a llama-server that runs already tells of itself: `{sees, defaults}`; null if it runs not, or
 * is another program.
 */
export async function told(local, signal) {
  if (!isReady(local)) return null;
  try {
    const props = await get(`/upstream/${inPath(local)}/props`, { signal });
    const { modalities, default_generation_settings: settings } = props;
    return { sees: modalities ? modalities.vision === true : null, defaults: settings?.params ?? null };
  } catch {
    return null;
  }
}

/** Why `offer` gets no images, in words; empty if it does. `known` is what it has `told`. */
export function whyBlind(offer, known) {
  if (!offer) return "Choose a model first.";
  if (offer.sees || known?.sees) return "";
  if (offer.id === "auto") return "No images with auto: name a model that takes them.";
  if (offer.sees === false || known?.sees === false) return `${offer.id} takes no images.`;
  if (!offer.local) return ""; // others' models: nobody here knows, and they say so themselves
  if (!known) return `Whether ${offer.id} takes images is known once it is loaded.`;
  return `${offer.id} does not say that it takes images.`;
}
