"""Hide secrets in texts that are shown: commands, environments, error messages, log lines.

Two kinds of secrets are hidden: the values that are known to be one, wherever they stand, and
what looks like one by the name that it is given to. Hiding too much is harmless, so names decide
generously.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What is shown instead.
MASK = "***"
#: A shorter value counts only if its name says that it is secret.
MIN_LENGTH = 8
#: A still shorter one would be found everywhere.
LEAST_LENGTH = 4

_WORDS = (
    r"(?:api|access|secret|private|auth)[-_]?keys?|keys?|tokens?|secrets?|password|passwd|passwort"
    r"|passphrase|pwd|credentials?|bearer"
)
_NAME = re.compile(rf"(?i)(?:^|[-_.])(?:{_WORDS})(?:$|[-_.])(?!file|path)|(?:apikey|accesskey)$")
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"']+)+"""
_FLAG_WORDS = (
    r"(?:[\w-]*[-_])?(?:api[-_]?keys?|access[-_]?key|secret[-_]?key|private[-_]?key|auth[-_]?key"
    r"|token|secret|password|passwd|passphrase|pwd|credentials?|bearer)"
)
_FLAG = re.compile(rf"(?i)(?<![^\s\"'=])(--?{_FLAG_WORDS}(?:=|(?:\s|\\\n)+)){_VALUE}")
_SHORT_FLAG = re.compile(rf"(?<!\S)(-hft(?:=|(?:\s|\\\n)+)){_VALUE}")
_ASSIGNED = re.compile(rf"(?<![\w.-])([A-Za-z_][\w.-]*)=({_VALUE})")
_HEADER = re.compile(
    r"(?i)((?:authorization|proxy-authorization|x-api-key|api-key)\s*:\s*)"
    r"(?:(?:bearer|basic|digest|token)\s+)?[^\s\"']+"
)
_BEARER = re.compile(r"(?i)(\bbearer\s+)[^\s\"']+")
_USER_INFO = re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+(?=@)")
_KNOWN_FORM = re.compile(r"(?<![\w-])(?:sk-|hf_|gh[opsur]_|xox[abps]-|AKIA)[\w-]{12,}")


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name would hold a secret."""
    return _NAME.search(name) is not None


def secrets_in(values: Mapping[str, str]) -> frozenset[str]:
    """The values to hide of these variables, also as they stand in double-quoted YAML."""
    hidden = {
        value
        for name, value in values.items()
        if len(value) >= (LEAST_LENGTH if is_secret_name(name) else MIN_LENGTH)
    }
    escaped = {value.replace("\\", "\\\\").replace('"', '\\"') for value in hidden}
    return frozenset(hidden | escaped)


def hide(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every occurrence of a secret hidden."""
    found = {secret for secret in secrets if secret.strip("*") and secret in text}
    if not found:
        return text
    longest_first = sorted(found, key=lambda secret: (-len(secret), secret))
    return re.sub("|".join(map(re.escape, longest_first)), MASK, text)


def masked(cmd: str, secrets: frozenset[str] = frozenset()) -> str:
    """A command, or a line of its output, as it may be shown.

    Hidden are ``secrets``; what follows a flag such as ``--api-key``; what is assigned to a name
    such as ``HF_TOKEN``; authorisation headers; passwords in addresses; tokens of a known form.
    """
    shown = hide(cmd, secrets)
    for pattern in (_FLAG, _SHORT_FLAG, _HEADER, _BEARER, _USER_INFO):
        shown = pattern.sub(_after_name, shown)
    shown = _ASSIGNED.sub(_assignment, shown)
    return _KNOWN_FORM.sub(MASK, shown)


def masked_env(entries: Iterable[str], secrets: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """``NAME=value`` texts as they may be shown."""
    shown = []
    for entry in entries:
        name, equals, value = entry.partition("=")
        hidden = equals and value and is_secret_name(name)
        shown.append(f"{name}={MASK}" if hidden else masked(entry, secrets))
    return tuple(shown)


def _after_name(match: re.Match[str]) -> str:
    return f"{match[1]}{MASK}"


def _assignment(match: re.Match[str]) -> str:
    return f"{match[1]}={MASK}" if is_secret_name(match[1]) else match[0]
