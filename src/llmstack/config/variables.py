"""Names of environment variables in values, and values that are no names but credentials."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.config.numbers import BadValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE_NAME = re.compile(_NAME)
_VARIABLE = re.compile(rf"\$(?:\{{(?P<braced>{_NAME})\}}|(?P<bare>{_NAME}))")

# How the keys of providers begin; some are also well-formed names of variables.
_KEY = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|rk|hf|gsk|xai|csk|r8|tgp|pplx|nvapi|glpat|github_pat|gh[opsur]|xox[abps])"
    r"[-_][\w-]{12,}|AIza[\w-]{20,}|(?:AKIA|ASIA|ABSK)[A-Za-z0-9+/=]{12,})"
)
_LONG, _DIGITS = 20, 3


def variables_in(text: str) -> tuple[str, ...]:
    """The names of the variables that ``text`` names as ``$NAME`` or ``${NAME}``."""
    names = (match["braced"] or match["bare"] for match in _VARIABLE.finditer(text))
    return tuple(dict.fromkeys(names))


def expand(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with the values of its variables; one that is unset or empty stays as written."""
    return _VARIABLE.sub(
        lambda match: environ.get(match["braced"] or match["bare"], "").strip() or match[0], text
    )


def only_variable(text: str) -> str:
    """The name of the variable if ``text`` is nothing but one, else empty."""
    match = _VARIABLE.fullmatch(text)
    return (match["braced"] or match["bare"]) if match else ""


def parse_variable_name(text: str) -> str:
    """The name of a variable. A key that stands there instead is refused and not repeated."""
    if text.startswith("$") and only_variable(text):
        raise BadValueError("the name is written without $", f"Write {only_variable(text)}.")
    if _VARIABLE_NAME.fullmatch(text) is None or _is_key(text):
        raise BadValueError(
            "the value is not the name of an environment variable",
            "Write the name of the variable that holds the key, such as OPENROUTER_API_KEY; "
            "if this was the key itself, replace it at the provider.",
        )
    return text


def holds_key(text: str) -> bool:
    """Whether a credential of a known form stands in ``text``."""
    return _KEY.search(text) is not None


def _is_key(text: str) -> bool:
    """Whether a text that could be a name is rather a key."""
    if holds_key(text):
        return True
    digits = sum(char.isdigit() for char in text)
    plain = text != text.upper() and "_" not in text
    return len(text) >= _LONG and digits >= _DIGITS and plain
