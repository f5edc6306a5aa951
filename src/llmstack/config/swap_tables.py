"""All tables of keys of a llama-swap configuration, by the kind of mapping they describe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.config.swap_keys import (
    SwapKey,
    Table,
    boolean,
    integer,
    of_kind,
    section,
    sections,
    table,
    text,
    texts,
)
from llmstack.config.swap_keys_models import MODEL_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_TARGETS = ("proxy", "upstream", "both", "none")
LOG_TIMES = (
    "ansic",
    "unixdate",
    "rubydate",
    "rfc822",
    "rfc822z",
    "rfc850",
    "rfc1123",
    "rfc1123z",
    "rfc3339",
    "rfc3339nano",
    "kitchen",
    "stamp",
    "stampmilli",
    "stampmicro",
    "stampnano",
)
ROUTERS = ("group", "matrix", "memory")
SCHEDULERS = ("fifo",)
STRATEGIES = ("warm", "pin", "spillover")
IGNORED_PATHS = r".*\.(js|json|css|png|gif|jpg|jpeg|ico|txt)$"
SESSION_HEADERS = ("X-Session-ID", "X-Litellm-Session-Id")


def _addition(key: SwapKey) -> SwapKey:
    return replace(key, addition=True)


def _old(key: SwapKey) -> SwapKey:
    return replace(key, deprecated=True)


_TOP = table(
    integer("healthCheckTimeout", 120, "Seconds that a model may take to become ready.", 15),
    integer("globalTTL", 0, "Idle seconds before a model is unloaded, 0 for never.", 0),
    integer("unloadTimeout", 10, "Seconds that a model may take to stop; 0 means 10.", 0),
    integer("startPort", 5800, "First port for ${PORT}; models that use it get one each.", 1),
    text("logLevel", "How much is logged.", "info", choices=LOG_LEVELS),
    text("logTimeFormat", "How log lines tell the time; empty for not at all.", choices=LOG_TIMES),
    text("logToStdout", "Whose log lines go to standard output.", "proxy", choices=LOG_TARGETS),
    _old(boolean("logRequests", "No effect any more.")),
    integer("metricsMaxInMemory", 1000, "Rows of activity kept without a store.", 1),
    integer("captureBuffer", 5, "Megabytes of requests and answers kept to look at, 0 for none."),
    section("store", "store", "Where activity is kept; in memory without it."),
    section("ui", "ui", "Settings of the web UI."),
    section("performance", "performance", "Sampling of processor, memory and GPU."),
    boolean("sendLoadingState", "Tell streaming clients while a model loads; for every model."),
    boolean("includeAliasesInList", "List aliases in /v1/models too."),
    SwapKey(
        "apiKeys",
        "keys",
        None,
        "Keys that clients must show; without any, nobody is asked. A plain text is a key for "
        "everything; a mapping gives it a name and limits.",
        inner="api key",
        secret=True,
    ),
    _addition(
        texts(
            "allowedHosts",
            "Names, beside this machine's, under which browsers on it may manage models.",
        )
    ),
    _addition(
        texts("allowedOrigins", "Origins, beside this machine's, whose pages may manage models.")
    ),
    of_kind(
        "macros",
        "macros",
        "Texts and numbers for ${name} anywhere below; a macro may use those before it.",
    ),
    sections("models", "model", "The models, by the name that clients ask for."),
    _old(sections("groups", "group", "Old place of routing.router.settings.groups.")),
    _old(section("matrix", "matrix", "Old place of routing.router.settings.matrix.")),
    section("routing", "routing", "Which models may be loaded together, and who is served first."),
    sections("profiles", "profile", "Sets of names that can be switched on while running."),
    sections("selectors", "selector", "Names that stand for one of several models."),
    sections("peers", "peer", "Other servers whose models are served too."),
    section("hooks", "hooks", "What to do at certain moments."),
    section("upstream", "upstream", "Settings of /upstream/MODEL/..."),
)

TABLES: Mapping[str, Table] = {
    "top": _TOP,
    **MODEL_TABLES,
    "api key": table(
        _addition(text("name", "Name of the key, shown in the activity instead of the key.")),
        replace(_addition(text("key", "The key.")), secret=True),
        replace(
            _addition(text("sha256", "SHA-256 of the key in hexadecimal, instead of the key.")),
            secret=True,
        ),
        _addition(texts("models", "Models and selectors that the key may use; all if missing.")),
        _addition(boolean("admin", "Whether it may also unload, read logs and see the activity.")),
    ),
    "store": table(replace(text("path", "File of the SQLite database."), required=True)),
    "ui": table(section("activity", "ui activity", "The page of requests.")),
    "ui activity": table(
        texts("session_id", "Request headers that may hold a session's id.", SESSION_HEADERS)
    ),
    "performance": table(
        boolean("disabled", "Sample nothing; /metrics and /api/performance answer 503."),
        SwapKey("every", "duration", "5s", "Time between two samples, at least 5s."),
    ),
    "routing": table(
        section("router", "router", "Which models may be loaded together."),
        section("scheduler", "scheduler", "Who is served first."),
    ),
    "router": table(
        text("use", "The rule that counts.", "group", choices=ROUTERS),
        section("settings", "router settings", "The rules."),
    ),
    "router settings": table(
        sections("groups", "group", "Groups, by name. A model in none is in a default group."),
        section("matrix", "matrix", "Which combinations may be loaded."),
        _addition(section("memory", "memory", "How much memory the models may take together.")),
    ),
    "group": table(
        boolean("swap", "Only one member is loaded at a time.", default=True),
        boolean("exclusive", "Loading a member unloads the other groups.", default=True),
        boolean("persistent", "Other groups do not unload the members."),
        texts("members", "Ids of the models; a model is in one group at most."),
    ),
    "matrix": table(
        of_kind("vars", "text map", "Short names of models for the sets."),
        of_kind("evict_costs", "integer map", "How dear it is to unload a model; 1 if not told."),
        of_kind("sets", "text map", "Allowed combinations: & is and, | is or, +name another set."),
    ),
    "memory": table(
        _addition(
            SwapKey(
                "budget",
                "size",
                "auto",
                "Memory for all models: auto (the GPUs', else the machine's), 24GiB or bytes.",
            )
        ),
        _addition(
            SwapKey("margin", "size", "1GiB", "Memory to leave free of what auto has found.")
        ),
        _addition(
            texts("pinned", "Models that are never unloaded for others; their ttl still holds.")
        ),
    ),
    "scheduler": table(
        text("use", "The rule that counts.", "fifo", choices=SCHEDULERS),
        section("settings", "scheduler settings", "The rules."),
    ),
    "scheduler settings": table(section("fifo", "fifo", "First come, first served.")),
    "fifo": table(
        of_kind("priority", "integer map", "Priority of models; higher is earlier, 0 if not told."),
        _addition(
            integer("minResidency", 2, "Seconds that a model stays before others replace it.", 0)
        ),
        _addition(
            integer(
                "maxWait",
                120,
                "Seconds after which a waiting request goes before all work for loaded models, "
                "0 for never.",
                0,
            )
        ),
        _addition(
            integer(
                "queueTimeout", 0, "Seconds after which a waiting request gets 503, 0 for never.", 0
            )
        ),
    ),
    "profile": table(
        text("description", "A line for people to read."),
        of_kind("pins", "text map", "Requested name to the name served instead; null is disabled."),
    ),
    "selector": table(
        replace(
            text(
                "strategy",
                "warm: the first target that is loaded; pin: the first target; spillover: the "
                "next target once the loaded ones are busy.",
                choices=STRATEGIES,
            ),
            required=True,
        ),
        replace(texts("targets", "Models to choose from, in order."), required=True),
        section("settings", "selector settings", "Settings of the strategy."),
        text("name", "Name for people to read."),
        text("description", "A line for people to read."),
        boolean("unlisted", "Leave the selector out of /v1/models."),
        of_kind("metadata", "free", "Shown under meta.llamaswap in /v1/models."),
    ),
    "selector settings": table(
        integer("spillover", 1, "Requests at one target before another is loaded.", 1)
    ),
    "hooks": table(section("on_startup", "on startup", "At the start and after a reload.")),
    "on startup": table(texts("preload", "Models to load, one after the other.")),
    "upstream": table(
        texts(
            "ignorePaths",
            "Regular expressions (Go) of paths for which no model is loaded; an empty list is "
            "the default.",
            (IGNORED_PATHS,),
        )
    ),
}
