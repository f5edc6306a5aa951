"""A llama-swap ``config.yaml`` as a validated value.

One pass: bytes, environment, YAML, macros, values. Every problem of the file is found in that
pass and told with its line; nothing in the file is silently without effect.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmstack.config.macros import env_references, substitute_env
from llmstack.config.problems import Problem, nearest
from llmstack.config.swap import SwapConfig
from llmstack.config.swap_fields import Report, Section
from llmstack.config.swap_macros import DEFAULT_START_PORT, expand
from llmstack.config.swap_models import ModelDefaults, read_models
from llmstack.config.swap_routing import read_routing, resolve
from llmstack.config.yaml_source import Document, read_yaml
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from llmstack.config.swap import SwapModel

_KNOWN = (
    "healthCheckTimeout",
    "globalTTL",
    "unloadTimeout",
    "startPort",
    "logLevel",
    "logToStdout",
    "logRequests",
    "sendLoadingState",
    "includeAliasesInList",
    "apiKeys",
    "macros",
    "models",
    "groups",
    "matrix",
    "routing",
    "hooks",
)
#: Keys of llama-swap that this release reads past, saying so.
_LATER = (
    "logTimeFormat",
    "metricsMaxInMemory",
    "captureBuffer",
    "store",
    "ui",
    "performance",
    "profiles",
    "selectors",
    "peers",
    "upstream",
)
_LOG_LEVELS = ("debug", "info", "warn", "error")
_LOG_TARGETS = ("proxy", "upstream", "both", "none")
_SHORTEST_HEALTH_CHECK = 15
_UNLOAD_TIMEOUT = 10


def load_swap(path: Path, environ: Mapping[str, str]) -> SwapConfig:
    """Read the configuration at ``path``; ``environ`` is what ``${env.NAME}`` is looked up in.

    Raises ConfigError with all problems of the file, warnings included, if one is an error.
    """
    source = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = Problem(source, None, f"cannot be read: {error.strerror or error}.")
        raise ConfigError([problem]) from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(source, line, "is not UTF-8 text.", "Save the file as UTF-8.")
        raise ConfigError([problem]) from error
    return parse_swap(text, source, environ)


def parse_swap(text: str, source: str, environ: Mapping[str, str]) -> SwapConfig:
    """The configuration in ``text``; ``source`` is the name to put into problems.

    An empty text is a configuration without models. Raises ConfigError as ``load_swap`` does.
    """
    document, unset = _read_document(text, source, environ)
    report = Report(document)
    tree = document.tree
    if isinstance(tree, dict):
        expansion = expand(tree, {*_KNOWN, *_LATER}, unset)
        report.findings(expansion.findings)
        tree = expansion.tree
    config = _build(Section(report, (), tree), source)
    if report.failed:
        raise ConfigError(report.ordered())
    return config


def _read_document(
    text: str, source: str, environ: Mapping[str, str]
) -> tuple[Document, Collection[str]]:
    """The text parsed with its environment references replaced, and the names without a value.

    A text that is not YAML before the replacement is searched as it is.
    """
    document = read_yaml(text, source)
    if "${env." not in text:
        return document, ()
    references = env_references(text if document.tree is None else document.tree)
    replaced, findings = substitute_env(text, references, environ)
    lines = text.splitlines()
    problems = []
    for name, finding in findings.items():
        first = document.locate(finding.path).line or 1
        written = (n for n in range(first, len(lines) + 1) if f"env.{name}}}" in lines[n - 1])
        problems.append(Problem(source, next(written, first), finding.message, finding.fix))
    if document.tree is None and problems:
        return Document(source, None, {}, tuple(problems)), findings
    document = read_yaml(replaced, source)
    return replace(document, problems=(*problems, *document.problems)), findings


def _build(top: Section, source: str) -> SwapConfig:
    report = top.report
    top.check_keys(_KNOWN, _LATER)
    _check_keys_refused(top)
    start_port = top.integer("startPort", DEFAULT_START_PORT)
    if start_port < 1:
        report.error(top.at("startPort"), "startPort must be greater than 1", "Write 5800, say.")
    if "logRequests" in top:
        report.warning(top.at("logRequests"), "logRequests is deprecated and has no effect")
    defaults = ModelDefaults(
        ttl=top.seconds("globalTTL", 0),
        unload_timeout=top.seconds("unloadTimeout", _UNLOAD_TIMEOUT) or _UNLOAD_TIMEOUT,
        send_loading_state=top.boolean("sendLoadingState"),
    )
    models = read_models(top.section("models"), defaults)
    routing = read_routing(top, models)
    preload = _read_preload(top.section("hooks"), models)
    return SwapConfig(
        source=source,
        models=MappingProxyType(models),
        groups=routing.groups,
        matrix=routing.matrix,
        preload=preload,
        priorities=routing.priorities,
        health_check_timeout=_health_check_timeout(top),
        start_port=start_port,
        log_level=_log_level(top),
        log_to_stdout=_log_to_stdout(top),
        include_aliases_in_list=top.boolean("includeAliasesInList"),
        warnings=report.ordered(),
    )


def _check_keys_refused(top: Section) -> None:
    """Ignoring ``apiKeys`` would open a door that the user has locked, so it is an error."""
    if top["apiKeys"] not in (None, []):
        top.report.error(
            top.at("apiKeys"),
            "apiKeys is not supported yet, and without it everyone could use the models",
            "Remove apiKeys and listen on 127.0.0.1 only.",
        )


def _health_check_timeout(top: Section) -> int:
    timeout = top.integer("healthCheckTimeout", 120)
    if timeout >= _SHORTEST_HEALTH_CHECK:
        return timeout
    message = f"healthCheckTimeout {timeout} is too short, {_SHORTEST_HEALTH_CHECK} is used"
    top.report.warning(top.at("healthCheckTimeout"), message, "Write 15 or more seconds.")
    return _SHORTEST_HEALTH_CHECK


def _log_level(top: Section) -> str:
    text = top.text("logLevel", "info")
    level = text.strip().lower()
    if level in _LOG_LEVELS:
        return level
    message = f"logLevel {text!r} is unknown, 'info' is used"
    fix = nearest(level, _LOG_LEVELS) or f"Write one of: {', '.join(_LOG_LEVELS)}."
    top.report.warning(top.at("logLevel"), message, fix)
    return "info"


def _log_to_stdout(top: Section) -> str:
    target = top.text("logToStdout", "proxy")
    if target not in _LOG_TARGETS:
        message = f"logToStdout must be one of: {', '.join(_LOG_TARGETS)}"
        top.report.error(top.at("logToStdout"), message, nearest(target, _LOG_TARGETS))
    return target


def _read_preload(hooks: Section, models: Mapping[str, SwapModel]) -> tuple[str, ...]:
    """Real ids of the models to load first; names that mean nothing are dropped with a warning."""
    hooks.check_keys(("on_startup",))
    startup = hooks.section("on_startup")
    startup.check_keys(("preload",))
    found = []
    for index, entry in enumerate(startup.texts("preload")):
        name = entry.strip()
        model_id = resolve(name, models)
        if model_id is not None:
            found.append(model_id)
            continue
        message = f"hooks.on_startup.preload: unknown model {name!r} is not loaded"
        path = (*startup.at("preload"), index)
        startup.report.warning(path, message, nearest(name, models))
    return tuple(found)
