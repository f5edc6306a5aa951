"""Macros of a llama-swap configuration: ``${name}``, ``${env.NAME}``, ``${PORT}`` and friends.

The engine itself: names, declarations, the environment, one substitution. Which macros apply where
in a configuration is in ``swap_macros``. Everything is a pure function from plain values to plain
values and findings.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from llmstack.config.yaml_source import Path

Scalar = str | int | float | bool

#: Names that the engine gives a value to.
RESERVED = ("PID", "PORT", "MODEL_ID")
#: A text that grows beyond this while macros are expanded is a mistake or an attack.
MAX_TEXT = 200_000

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MAX_NAME = 63
REFERENCE = re.compile(r"\$\{([A-Za-z0-9_-]+)\}")
_ENV = re.compile(r"\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}")
ANY_ENV = re.compile(r"\$\{env\.[^}]*\}")
#: Exponents from which Go's %v writes a float in scientific notation.
_GO_EXPONENTS = range(-4, 21)


class Finding(NamedTuple):
    """Something wrong at ``path`` of the tree."""

    path: Path
    message: str
    fix: str = ""
    severity: Literal["error", "warning"] = "error"


class Macro(NamedTuple):
    """One declaration. ``value`` keeps its YAML type."""

    name: str
    value: Scalar


class TooLongError(ValueError):
    """A text grows beyond ``MAX_TEXT`` characters."""


def dotted(path: Path) -> str:
    """``path`` as people write it: ``models.a.env[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def has_macro(value: object) -> bool:
    """Whether ``value`` is a text in which a macro or environment reference is left."""
    return isinstance(value, str) and bool(REFERENCE.search(value) or ANY_ENV.search(value))


def env_references(tree: object) -> dict[str, Path]:
    """Each ``${env.NAME}`` in the keys and values of ``tree``, and where it occurs first."""
    found: dict[str, Path] = {}
    for path, text in texts(tree, keys=True):
        for match in _ENV.finditer(text):
            found.setdefault(match[1], path)
    return found


def substitute_env(
    text: str, references: Mapping[str, Path], environ: Mapping[str, str]
) -> tuple[str, dict[str, Finding]]:
    """Put the values of ``references`` into the raw ``text``, everywhere they are written.

    Backslashes and double quotes of a value are escaped, as for a double-quoted YAML text. The
    findings are by the name of the variable that cannot be put in.
    """
    findings: dict[str, Finding] = {}
    for name, path in references.items():
        value = environ.get(name)
        if value is None:
            message = f"environment variable '{name}' is not set"
            findings[name] = Finding(path, message, f"Set {name} before starting.")
        elif re.search(r"[\n\r\0]", value):
            message = (
                f"environment variable '{name}' contains newlines or null bytes which are not "
                "allowed in YAML substitution"
            )
            findings[name] = Finding(path, message, "Set it to a single line.")
        else:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            text = text.replace(f"${{env.{name}}}", escaped)
    return text, findings


def text_of(value: object) -> str:
    """A scalar inside a text, written as Go's ``%v`` writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    number = Decimal(repr(value))
    if number.adjusted() not in _GO_EXPONENTS and number:
        digits = str(abs(number.scaleb(-number.adjusted())).normalize())
        return f"{'-' if value < 0 else ''}{digits}e{number.adjusted():+03d}"
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def substitute(value: Any, macros: Collection[Macro]) -> Any:
    """``value`` with ``macros`` applied from the last to the first.

    A text that is nothing but one reference takes the macro's type; keys stay. Raises TooLongError.
    """
    if isinstance(value, str):
        return _substitute_text(value, macros)
    if isinstance(value, dict):
        return {key: substitute(item, macros) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, macros) for item in value]
    return value


def _substitute_text(text: str, macros: Collection[Macro]) -> Any:
    value: Any = text
    for name, replacement in reversed(list(macros)):
        if not isinstance(value, str) or "${" not in value:
            break
        reference = f"${{{name}}}"
        if value == reference:
            value = replacement
        elif count := value.count(reference):
            written = text_of(replacement)
            if len(value) + count * len(written) > MAX_TEXT:
                raise TooLongError
            value = value.replace(reference, written)
    return value


def declare(block: object, path: Path, prefix: str = "") -> tuple[list[Macro], list[Finding]]:
    """Read one ``macros`` block. ``prefix`` stands before each message."""
    if block is None:
        return [], []
    if not isinstance(block, dict):
        message = f"{prefix}macros must be a mapping"
        return [], [Finding(path, message, "Write one 'name: value' per line.")]
    macros: list[Macro] = []
    findings: list[Finding] = []
    for name, value in block.items():
        if fault := _declaration_fault(name, value):
            findings.append(Finding((*path, name), prefix + fault[0], fault[1]))
        else:
            macros.append(Macro(name, value))
    return macros, findings


def _declaration_fault(name: str, value: object) -> tuple[str, str] | None:
    """What is wrong and what to do, or None."""
    if len(name) > _MAX_NAME:
        fault = f"macro name '{name}' exceeds maximum length of {_MAX_NAME} characters"
        return fault, "Choose a shorter name."
    if not _NAME.fullmatch(name):
        fault = f"macro name '{name}' contains invalid characters"
        return f"{fault}, must match pattern ^[a-zA-Z0-9_-]+$", "Choose another name."
    if name in RESERVED:
        return f"macro name '{name}' is reserved", "Choose another name."
    if isinstance(value, str) and f"${{{name}}}" in value:
        return f"macro '{name}' contains self-reference", "Write the value out."
    if not isinstance(value, Scalar):
        kind = "mapping" if isinstance(value, dict) else "list" if value is not None else "null"
        fault = f"macro '{name}' has invalid type {kind}"
        scalar = "must be a scalar type (string, int, float, or bool)"
        return f"{fault}, {scalar}", "Write a text or a number."
    return None


def texts(value: object, path: Path = (), *, keys: bool = False) -> Iterator[tuple[Path, str]]:
    """Every text in ``value`` with its path; with ``keys`` the mapping keys too."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if keys:
                yield (*path, key), key
            yield from texts(item, (*path, key), keys=keys)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index), keys=keys)
