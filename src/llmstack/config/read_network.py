"""The settings that say who may reach the gateway, and how."""

from __future__ import annotations

import re
from pathlib import Path

from llmstack.config.numbers import BadValueError, parse_bool, shown
from llmstack.config.upstream_url import url_fault

_HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+|null")


def parse_hosts(text: str) -> tuple[str, ...]:
    """Names under which the gateway may be asked for, separated by commas or blanks."""
    names = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    for name in names:
        if len(name) > 255 or _HOST.fullmatch(name) is None:
            raise BadValueError(
                f"{shown(name)} is not a host name",
                "Write names without a port, such as box.lan or *.example.org.",
            )
    return names


def parse_origins(text: str) -> tuple[str, ...]:
    """Origins whose pages may ask, separated by commas or blanks."""
    origins = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    for origin in origins:
        web = origin.startswith(("http://", "https://"))
        if _ORIGIN.fullmatch(origin) is None or (web and url_fault(origin)[0]):
            raise BadValueError(
                f"{shown(origin)} is not an origin",
                "Write scheme, host and perhaps a port: https://chat.example.org",
            )
    return origins


def parse_file(text: str) -> str:
    """A file's path in an environment variable."""
    return str(Path(text).expanduser().absolute())


def parse_insecure(text: str) -> bool:
    """Whether the network may come in without keys."""
    return parse_bool(text)
