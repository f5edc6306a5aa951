// Which page is shown. A page is a module: `title`, and `show(main, {signal, query})`.
//
// `signal` is aborted when the page is left; whatever a page listens to or asks for is given it.

import { fill, h } from "./dom.js";
import { complain } from "./notice.js";

const ROOT = "/ui";

/**
 * Show pages in `main` as the address says. `pages` maps a path's last part (`""` for the first
 * page) to what imports its module. `shown(name)` is told which page it is.
 */
export function router(main, pages, shown) {
  let leaving = new AbortController();

  async function go() {
    leaving.abort();
    const here = (leaving = new AbortController());
    const name = location.pathname.slice(ROOT.length).replace(/^\/|\/$/g, "");
    const load = pages[name];
    shown(name);
    if (!load) {
      document.title = "Not found - llmstack";
      fill(main, h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: ROOT }, "To the overview")));
      return;
    }
    try {
      const page = await load();
      if (here.signal.aborted) return;
      document.title = `${page.title} - llmstack`;
      fill(main, h("h1", { tabindex: -1 }, page.title));
      await page.show(main, { signal: here.signal, query: new URLSearchParams(location.search) });
    } catch (error) {
      if (!here.signal.aborted) complain(error);
    }
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey) return;
    if (event.shiftKey || event.altKey || link.target || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    const inside = to.pathname === ROOT || to.pathname.startsWith(`${ROOT}/`);
    if (to.origin !== location.origin || !inside) return;
    if (to.hash) {
      // A place on this page: going there must not show the page anew, as a change of address does.
      const place = document.getElementById(to.hash.slice(1));
      if (place) event.preventDefault();
      place?.focus();
      return;
    }
    event.preventDefault();
    navigate(to.pathname + to.search).then(() => main.querySelector("h1")?.focus());
  });
  addEventListener("popstate", go);

  async function navigate(path) {
    history.pushState(null, "", path);
    await go();
    scrollTo(0, 0);
  }

  return { go, navigate };
}

/** Remember in the address what the page shows, without leaving it. */
export function remember(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
}
