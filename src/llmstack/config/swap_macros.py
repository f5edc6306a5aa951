"""Which macros apply where in a llama-swap configuration, and in which order.

Comment lines of commands go first. Global macros reach every top-level value but ``models``. Each
model, in the order of the sorted ids, sees ``MODEL_ID``, the global macros and its own, applied
from the last to the first; then it gets a port if its ``cmd`` asks for one. What is left over
afterwards is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.config.command import strip_comments
from llmstack.config.macros import (
    ANY_ENV,
    MAX_TEXT,
    REFERENCE,
    Finding,
    Macro,
    TooLongError,
    declare,
    dotted,
    substitute,
    text_of,
    texts,
)
from llmstack.config.ports import Ports
from llmstack.config.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from llmstack.config.swap import SwapConfig
    from llmstack.config.yaml_source import Path

DEFAULT_PROXY = "http://localhost:${PORT}"
DEFAULT_START_PORT = 5800

_PORT = "${PORT}"
_MAX_PORT = 65_535

#: Model fields whose leftovers llama-swap reports in a form of their own.
_PLAIN_FIELDS = (
    "cmd",
    "cmdStop",
    "proxy",
    "checkEndpoint",
    "name",
    "description",
    "filters.stripParams",
    "filters.strip_params",
)
#: Model fields inside which llama-swap names no deeper path.
_OPAQUE_FIELDS = ("metadata", "capabilities")


@dataclass(frozen=True, slots=True)
class Expansion:
    """A tree without macros, what was wrong with them, and the port of every model with one."""

    tree: dict[str, Any]
    findings: tuple[Finding, ...]
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scope:
    """The macros that a value sees. ``reported`` are names a finding already speaks of."""

    macros: tuple[Macro, ...]
    reported: frozenset[str] = frozenset()

    def inner(self, macros: Collection[Macro], reported: Collection[str]) -> _Scope:
        """This scope with further macros: same names replace in position, new ones come last."""
        merged = {macro.name: macro for macro in (*self.macros, *macros)}
        return _Scope(tuple(merged.values()), self.reported.union(reported) - {*merged})

    def remedy(self, name: str) -> str:
        """What to do about a reference to ``name`` that nothing replaced."""
        names = [macro.name for macro in self.macros]
        if name in names:
            return f"Declare {name} before the macro that uses it."
        return nearest(name, names) or f"Declare {name} under macros."

    def leftovers(self, text: str) -> Iterator[tuple[str, str]]:
        """The references left in ``text`` that no finding speaks of, each with a proposal."""
        for name in dict.fromkeys(match[1] for match in REFERENCE.finditer(text)):
            if name not in self.reported:
                yield f"${{{name}}}", self.remedy(name)

    def env_leftovers(self, path: Path, text: str) -> Iterator[Finding]:
        """Environment references that came up too late or are misspelt."""
        for left in dict.fromkeys(ANY_ENV.findall(text)):
            if left not in self.reported:
                message = f"{dotted(path)}: '{left}' is not replaced and stays as it is"
                fix = "Environment names are letters, digits and underscores, without macros."
                yield Finding(path, message, fix, "warning")


def expand(
    tree: Mapping[str, Any],
    known: Collection[str],
    unset: Collection[str] = (),
    before: SwapConfig | None = None,
) -> Expansion:
    """Expand every macro of a whole configuration.

    The result has no ``macros`` blocks; ``cmd`` and ``cmdStop`` have no comment lines; a missing
    ``proxy`` is filled in. ``known`` are the top-level keys in which leftovers are findings,
    ``unset`` the environment variables already found missing. Models keep the ports that they have
    in ``before`` unless ``startPort`` is another one.
    """
    macros, found = declare(tree.get("macros"), ("macros",))
    findings = list(found)
    reported = {str(finding.path[-1]) for finding in found}
    scope = _Scope(tuple(macros), frozenset(reported | {f"${{env.{name}}}" for name in unset}))
    result: dict[str, Any] = {}
    for key, value in tree.items():
        if key not in {"macros", "models"}:
            result[key] = _substitute(value, scope.macros, (key,), findings)
            if key in known:
                findings += _leftovers(result[key], (key,), scope)
    models = tree.get("models")
    wished = result.get("startPort")
    start = wished if type(wished) is int and wished >= 1 else DEFAULT_START_PORT
    ports = Ports(start, before.ports if before and before.start_port == start else {})
    if isinstance(models, dict):
        result["models"] = _expand_models(models, scope, ports, findings)
    elif "models" in tree:
        result["models"] = _substitute(models, scope.macros, ("models",), findings)
        findings += _leftovers(result["models"], ("models",), scope)
    return Expansion(result, tuple(findings), ports.given)


def _expand_models(
    models: dict[str, Any], scope: _Scope, ports: Ports, findings: list[Finding]
) -> dict[str, Any]:
    expanded: dict[str, Any] = {}
    for model_id in sorted(models):
        body = {} if models[model_id] is None else models[model_id]
        path: Path = ("models", model_id)
        if not isinstance(body, dict):
            expanded[model_id] = _substitute(body, scope.macros, path, findings)
            findings += _leftovers(expanded[model_id], path, scope)
            continue
        own, found = declare(body.get("macros"), (*path, "macros"), f"model {model_id}: ")
        findings += found
        first = _Scope((Macro("MODEL_ID", model_id), *scope.macros), scope.reported)
        visible = first.inner(own, [str(finding.path[-1]) for finding in found])
        model = _substitute(_prepare(body), visible.macros, path, findings)
        model = _expand_filter_keys(model, visible, path, findings)
        if _PORT in str(model.get("cmd", "")):
            port = ports.give(model_id)
            if port > _MAX_PORT:
                message = f"model {model_id}: port {port} is beyond {_MAX_PORT}"
                findings.append(Finding(path, message, "Write a smaller startPort."))
            model = _substitute(model, [Macro("PORT", port)], path, findings)
        findings += _model_leftovers(model, model_id, visible)
        expanded[model_id] = model
    return {model_id: expanded[model_id] for model_id in models}


def _prepare(body: dict[str, Any]) -> dict[str, Any]:
    model = {key: value for key, value in body.items() if key != "macros"}
    for key in ("cmd", "cmdStop"):
        if isinstance(model.get(key), str):
            model[key] = strip_comments(model[key])
    if model.get("proxy") is None:
        model["proxy"] = DEFAULT_PROXY
    return model


def _substitute(value: Any, macros: Collection[Macro], path: Path, findings: list[Finding]) -> Any:
    try:
        return substitute(value, macros)
    except TooLongError:
        message = f"{dotted(path)}: macros expand to more than {MAX_TEXT} characters"
        findings.append(Finding(path, message, "Remove macros that repeat other macros."))
        return value


def _expand_filter_keys(
    model: dict[str, Any], scope: _Scope, path: Path, findings: list[Finding]
) -> dict[str, Any]:
    """The keys of ``filters.setParamsByID`` are the only keys in which macros count."""
    filters = model.get("filters")
    by_id = filters.get("setParamsByID") if isinstance(filters, dict) else None
    if not isinstance(filters, dict) or not isinstance(by_id, dict):
        return model
    where = (*path, "filters", "setParamsByID")
    prefix = f"model {path[1]} filters.setParamsByID"
    written: dict[str, str] = {}
    result: dict[str, Any] = {}
    for key, value in by_id.items():
        resolved = text_of(_substitute(key, scope.macros, (*where, key), findings))
        if resolved in written:
            message = f'{prefix}: keys "{written[resolved]}" and "{key}" resolve to the same value'
            findings.append(Finding((*where, key), message, "Remove one of them."))
        for left, fix in scope.leftovers(resolved):
            message = f"unknown macro '{left}' found in {prefix} key"
            findings.append(Finding((*where, key), message, fix))
        written.setdefault(resolved, key)
        result.setdefault(resolved, value)
    return {**model, "filters": {**filters, "setParamsByID": result}}


def _model_leftovers(model: dict[str, Any], model_id: str, scope: _Scope) -> Iterator[Finding]:
    # A macro that is still in cmd might have held the port, and is reported itself.
    portless = _PORT in str(model["proxy"]) and not REFERENCE.search(str(model.get("cmd", "")))
    if portless:
        yield Finding(
            ("models", model_id, "proxy"),
            f"model {model_id}: proxy uses ${{PORT}} but cmd does not - ${{PORT}} is only "
            "available when used in cmd",
            "Pass ${PORT} to the program in cmd, or write the fixed address in proxy.",
        )
    for relative, text in texts(model):
        path = ("models", model_id, *relative)
        name = dotted(relative)
        shown = str(relative[0]) if relative[0] in _OPAQUE_FIELDS else name
        for left, remedy in scope.leftovers(text):
            if (left == "${PID}" and name == "cmdStop") or (left == _PORT and name == "proxy"):
                continue
            fix = "Use ${PORT} in cmd too." if left == _PORT else remedy
            if name not in _PLAIN_FIELDS:
                message = f"model {model_id} {shown}: unknown macro '{left}'"
            elif left == _PORT:
                message = f"macro '{left}' should have been substituted in {model_id}.{name}"
            else:
                message = f"unknown macro '{left}' found in {model_id}.{name}"
            yield Finding(path, message, fix)
        yield from scope.env_leftovers(path, text)


def _leftovers(value: object, path: Path, scope: _Scope) -> Iterator[Finding]:
    for where, text in texts(value, path):
        for left, fix in scope.leftovers(text):
            yield Finding(where, f"{dotted(where)}: unknown macro '{left}'", fix)
        yield from scope.env_leftovers(where, text)
