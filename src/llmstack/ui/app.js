// The frame around every page: navigation, connection, theme.

import { h, say, set } from "./lib/dom.js";
import "./lib/history.js"; // keeps what charts show, whichever page is open
import * as live from "./lib/live.js";
import { router } from "./lib/router.js";

/** Path, title, and module of every page, in the order of the navigation. */
const PAGES = [
  ["", "Overview", () => import("./pages/overview.js")],
  ["models", "Models", () => import("./pages/models.js")],
  ["activity", "Activity", () => import("./pages/activity.js")],
  ["routing", "Routing", () => import("./pages/routing.js")],
  ["playground", "Playground", () => import("./pages/playground.js")],
  ["logs", "Logs", () => import("./pages/logs.js")],
  ["performance", "Performance", () => import("./pages/performance.js")],
  ["settings", "Settings", () => import("./pages/settings.js")],
];
const THEMES = ["system", "light", "dark"];

const links = new Map(
  PAGES.map(([name, title]) => [name, h("a", { href: name ? `/ui/${name}` : "/ui/" }, title)]),
);
document.getElementById("pages").append(...[...links.values()].map((link) => h("li", {}, link)));

const connection = document.getElementById("connection");
live.on("connection", showConnection);
function showConnection() {
  connection.classList.toggle("down", !live.state.connected);
  say(connection, live.state.connected ? "Connected" : "Not connected – trying again");
}

const theme = document.getElementById("theme");
theme.value = THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system";
theme.addEventListener("change", () => localStorage.setItem("theme", theme.value));
theme.addEventListener("change", showTheme);
function showTheme() {
  const wanted = theme.value === "system" ? "light dark" : theme.value;
  document.documentElement.style.setProperty("color-scheme", wanted);
}

const main = document.getElementById("main");
const pages = Object.fromEntries(PAGES.map(([name, , load]) => [name, load]));
showTheme();
live.start();
router(main, pages, (shown) => {
  for (const [name, link] of links) set(link, "aria-current", name === shown && "page");
  // On a phone the navigation is wider than the screen.
  links.get(shown)?.scrollIntoView({ block: "nearest", inline: "nearest" });
}).go();
