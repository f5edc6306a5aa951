// Asks the daemon. Every page goes through here, so that every error reads the same.

/** An answer that is no success, or none at all (`status` 0). */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** GET; what the answer's JSON says. */
export const get = (path, options) => ask("GET", path, undefined, options);
/** POST with a JSON body, if there is one. */
export const post = (path, body, options) => ask("POST", path, body, options);
/** PUT with a JSON body. */
export const put = (path, body, options) => ask("PUT", path, body, options);
/** DELETE. */
export const del = (path, options) => ask("DELETE", path, undefined, options);

/**
 * The decoded answer: JSON where it is JSON, else text.
 *
 * `options.signal` gives up. Throws ApiError; an abort is thrown as it is.
 */
export async function ask(method, path, body, { signal } = {}) {
  const response = await send(method, path, body, { signal });
  const text = await response.text();
  return isJson(response) && text ? JSON.parse(text) : text;
}

/** The answer itself, for those who stream it. Throws as `ask` does. */
export async function send(method, path, body, { signal, headers } = {}) {
  const init = { method, signal, headers: { ...headers }, credentials: "same-origin" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["content-type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "llmstack does not answer. Is the daemon running?");
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** A model's name as part of a path: its slashes stay. */
export function inPath(name) {
  return name.split("/").map(encodeURIComponent).join("/");
}

async function refusal(response) {
  const text = await response.text().catch(() => "");
  let message = text.trim();
  if (isJson(response)) {
    try {
      const told = JSON.parse(text);
      message = told.error?.message ?? told.error ?? told.message ?? told.detail ?? message;
    } catch {
      // The text as it is says more than nothing.
    }
  }
  if (typeof message !== "string" || !message) message = `${response.status} ${response.statusText}`;
  return new ApiError(response.status, message.slice(0, 2000));
}

function isJson(response) {
  return (response.headers.get("content-type") ?? "").includes("json");
}
