// A model has the same colour wherever it is shown.

/** The class of a model's colour: by its place in the configuration, so that swaps change none. */
export function colourOf(id, { models }) {
  const place = models.findIndex((model) => model.id === id);
  return `series-${(Math.max(0, place) % 6) + 1}`;
}
