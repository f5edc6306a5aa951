// The one event stream: what the daemon tells, kept as the present state and passed on.
//
// Kinds: `models`, `inflight`, `overview`, `profile`, `settings` (the state has changed),
// `activity` (a request has ended), `progress` (a model changes), `log` (lines came),
// `connection` (up or down), `renewed` (the daemon was away and is back: ask again).

const STREAM = "/api/events?overview=1";
/** Milliseconds after which a lost connection is tried again; the last one stays. */
const WAITS = [250, 500, 1000, 2000];
/** Milliseconds after which a hidden page lets go: browsers allow six connections to a server. */
const HIDDEN = 20_000;
/** Characters of a log that are kept. */
const LOG = 400_000;

/** What is known now. `overview` is null until the first one came. */
export const state = {
  connected: false,
  models: [],
  inflight: new Map(),
  overview: null,
  profile: null,
  logs: { proxy: "", upstream: "" },
};

const target = new EventTarget();
let source = null;
let failures = 0;
let retry = 0;
let hiding = 0;
let wasConnected = false;

/** Call `listener` with what comes of `kind`, until `signal` is aborted. */
export function on(kind, listener, signal) {
  target.addEventListener(kind, (event) => listener(event.detail), { signal });
}

/** Begin to listen, and never stop while the page is seen. */
export function start() {
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(close, HIDDEN);
    else if (!source) open();
  });
  open();
}

function open() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(STREAM);
  source.addEventListener("message", (event) => receive(event.data));
  source.addEventListener("error", lost);
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function lost() {
  close();
  setConnected(false);
  const wait = WAITS[Math.min(failures, WAITS.length - 1)];
  failures += 1;
  if (!document.hidden) retry = setTimeout(open, wait);
}

function setConnected(connected) {
  if (connected === state.connected) return;
  state.connected = connected;
  tell("connection", connected);
  if (connected && wasConnected) tell("renewed");
  wasConnected ||= connected;
}

function receive(text) {
  let kind, data;
  try {
    const frame = JSON.parse(text);
    kind = frame.type;
    data = typeof frame.data === "string" ? JSON.parse(frame.data) : frame.data;
  } catch {
    return; // one broken frame is no reason to stop
  }
  if (!state.connected) {
    failures = 0;
    state.logs = { proxy: "", upstream: "" }; // the stream begins with all that there is
    setConnected(true);
  }
  handlers[kind]?.(data);
}

const handlers = {
  modelStatus(models) {
    state.models = models;
    tell("models", models);
  },
  modelProgress: (event) => tell("progress", event),
  profileChanged({ active }) {
    state.profile = active;
    tell("profile", active);
  },
  settingsChanged: (event) => tell("settings", event),
  activity: (event) => tell("activity", event),
  overview(overview) {
    state.overview = overview;
    tell("overview", overview);
  },
  inflight(event) {
    if (event.operation === "snapshot") {
      state.inflight = new Map((event.requests ?? []).map((request) => [request.id, request]));
    } else if (event.operation === "remove") {
      state.inflight.delete(event.id);
    } else {
      state.inflight.set(event.request.id, event.request);
    }
    tell("inflight", event);
  },
  logData({ source: name, data }) {
    if (!(name in state.logs)) return;
    state.logs[name] = (state.logs[name] + data).slice(-LOG);
    tell("log", { source: name, data });
  },
};

function tell(kind, detail) {
  target.dispatchEvent(new CustomEvent(kind, { detail }));
}
