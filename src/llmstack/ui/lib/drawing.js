// Drawings that fit their place: drawn again when its width changes.

import { fill, h } from "./dom.js";

/**
 * An element that holds what `draw(width)` returns, an SVG element of so many pixels.
 *
 * `redraw()` after what it shows has changed.
 */
export function drawing(draw, signal) {
  const element = h("div", { class: "drawing" });
  let width = 0;
  const redraw = () => {
    if (width) fill(element, draw(width));
  };
  const observer = new ResizeObserver((entries) => {
    const now = Math.floor(entries.at(-1).contentRect.width);
    if (!now || now === width) return;
    width = now;
    requestAnimationFrame(redraw); // drawing changes the height, which must not be seen here
  });
  observer.observe(element);
  signal?.addEventListener("abort", () => observer.disconnect());
  return { element, redraw };
}

/** Round numbers from 0 to `most`, about `wanted` of them. */
export function ticks(most, wanted) {
  if (!(most > 0)) return [0];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, number) => number * step);
}

/** About how many pixels `text` takes at the size of `.drawing text`. */
export const widthOf = (text) => text.length * 7;
