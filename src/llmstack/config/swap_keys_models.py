"""The keys of models and peers in a llama-swap configuration."""

from __future__ import annotations

from dataclasses import replace

from llmstack.config.context_settings import POLICIES, TRUNCATIONS
from llmstack.config.swap_keys import (
    SwapKey,
    Table,
    boolean,
    integer,
    of_kind,
    section,
    share,
    table,
    text,
    texts,
)

MODALITIES = ("text", "audio", "image")

_ID_PARAMS = (
    "Parameters to set by the name that the client asked for; each name is an alias of the model. "
    "They come after setParams. Names may hold macros."
)
_TYPED = "Shown under meta.llamaswap in /v1/models; numbers and truth values keep their type."


def _timeouts(response_header: int) -> Table:
    return table(
        integer("connect", 30, "Seconds to open a connection, 0 for no limit.", 0),
        integer("keepalive", 30, "Seconds between keep-alive probes of a connection.", 0),
        integer(
            "responseHeader",
            response_header,
            "Seconds until an answer must begin, 0 for no limit.",
            0,
        ),
        integer("tlsHandshake", 10, "Seconds for the TLS handshake, 0 for no limit.", 0),
        integer("expectContinue", 1, "Seconds to wait for '100 Continue'.", 0),
        integer("idleConn", 90, "Seconds that an idle connection is kept, 0 for ever.", 0),
    )


_FILTERS = table(
    text("stripParams", "Parameters to remove from JSON requests, separated by commas."),
    of_kind(
        "setParams",
        "free",
        "Parameters to set in JSON requests, whatever the client sent. a.b names b inside a; "
        "model is never touched.",
    ),
    of_kind("setParamsByID", "free map", _ID_PARAMS),
)

_CONTEXT = tuple(
    replace(key, addition=True)
    for key in (
        text(
            "contextPolicy",
            "What is done so that requests fit the window: nothing; something when one does not "
            "fit; the same earlier, from contextTrigger on; or with a summary, written by the "
            "model, of what is left out. Without a known window nothing is done. A model with any "
            "of these keys has limit_only unless it says otherwise, one with none has off.",
            choices=POLICIES,
        ),
        text(
            "truncationMode",
            "With limit_only: whether what does not fit is shortened or refused.",
            "sliding_window",
            choices=TRUNCATIONS,
        ),
        share("contextTrigger", 0.85, "Share of the room for prompts at which it is done."),
        share("contextTarget", 0.6, "Share of that room to which a prompt is then shortened."),
        integer("contextKeepRecent", 4, "Last turns and tool rounds that are never shortened.", 0),
        boolean(
            "promptHygiene",
            "Whether volatile lines at the front of prompts are made stable, for the sake of the "
            "server's cache.",
            default=True,
        ),
    )
)

MODEL_TABLES: dict[str, Table] = {
    "model": table(
        text(
            "cmd",
            "Command that starts the model's server, without a shell. Line breaks are blanks, "
            "lines that begin with # are comments.",
        ),
        text("cmdStop", "Command that stops it instead of SIGTERM; ${PID} is the process."),
        text("proxy", "Address of the model's server.", "http://localhost:${PORT}"),
        texts("aliases", "Other names of the model."),
        texts("env", "Environment of the command, NAME=value each."),
        text("checkEndpoint", "Path that answers 200 when the model is ready, or none.", "/health"),
        integer("ttl", -1, "Idle seconds before unloading, 0 for never, -1 for globalTTL.", -1),
        integer("unloadTimeout", 0, "Seconds to stop in peace, 0 for the top level's.", 0),
        boolean("unlisted", "Leave the model out of /v1/models; it can still be used."),
        text("useModelName", "Model name to write into forwarded requests."),
        text("name", "Name for people to read."),
        text("description", "A line for people to read."),
        integer(
            "concurrencyLimit",
            0,
            "Requests admitted at once: waiting, loading and being served. 0 means 10; more are "
            "answered with 429.",
            0,
        ),
        section("filters", "filters", "What to change in requests before they are forwarded."),
        of_kind("macros", "macros", "Macros of this model only; they win over the top level's."),
        of_kind("metadata", "free", _TYPED),
        SwapKey(
            "sendLoadingState",
            "boolean",
            None,
            "Tell streaming clients while the model loads; if missing, the top level decides.",
        ),
        section("timeouts", "timeouts", "Limits of the connection to the model's server."),
        section("compat", "compat", "Allowances for particular servers."),
        section("capabilities", "capabilities", "What the model can do, for /v1/models."),
        SwapKey(
            "memory",
            "size",
            None,
            "Memory that the loaded model takes, as 4.5GiB or in bytes, for the memory router; "
            "estimated from the file and measured if missing.",
            addition=True,
        ),
        replace(
            boolean(
                "forwardApiKey",
                "Pass the client's API key on to the model's server.",
                default=False,
            ),
            addition=True,
        ),
        *_CONTEXT,
        replace(
            integer("healthCheckTimeout", 0, "No effect here: the top level's counts.", 0),
            deprecated=True,
        ),
    ),
    "filters": {
        **_FILTERS,
        "strip_params": replace(
            text("strip_params", "Old spelling of stripParams, read when that is empty."),
            deprecated=True,
        ),
    },
    "timeouts": _timeouts(0),
    "compat": table(
        boolean(
            "ignoreWebsockets",
            "Let WebSocket connections neither load the model nor keep it loaded.",
        ),
    ),
    "capabilities": table(
        texts("in", f"What the model takes: {', '.join(MODALITIES)}."),
        texts("out", f"What the model gives: {', '.join(MODALITIES)}."),
        boolean("tools", "Whether the model calls tools."),
        boolean("reranker", "Whether the model is a reranker."),
        integer("context", 0, "Context window in tokens, 0 for not told.", 0),
    ),
    "peer": table(
        replace(text("proxy", "Address of the other server."), required=True),
        replace(text("apiKey", "Key to send to it."), secret=True),
        replace(
            texts("models", "Models that it serves; each is also known as PEER/MODEL."),
            required=True,
            unless="discover",
        ),
        replace(
            boolean("discover", "Ask it which models it serves, and offer them as PEER/MODEL too."),
            addition=True,
        ),
        section("filters", "peer filters", "What to change in requests before they are forwarded."),
        section("timeouts", "peer timeouts", "Limits of the connection to it."),
    ),
    "peer filters": {
        **_FILTERS,
        "setParamsByID": of_kind(
            "setParamsByID",
            "free map",
            "Parameters to set by the name that the client asked for, after setParams.",
        ),
    },
    "peer timeouts": _timeouts(60),
}
