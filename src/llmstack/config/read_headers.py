"""The key ``headers``: what is sent to a server with every request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llmstack.config.keys import is_secret
from llmstack.config.numbers import shown
from llmstack.config.redact import is_secret_name
from llmstack.config.variables import holds_key, only_variable

if TYPE_CHECKING:
    from llmstack.config.fields import Fields

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a token of HTTP
_NAME = re.compile(_TOKEN)
# A comma ends a header only where another begins: https:// begins none.
_COMMA = re.compile(rf",\s*(?={_TOKEN}\s*:(?!//))")

#: Those of the connection rather than of the request (RFC 9110, 7.6.1), and those that follow
#: from the URL and the body.
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: What servers of ours tell each other, such as how far a request has come.
_TOLD: Final = "x-llmstack-"
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "x-auth", "x-api-key", "api-key"})


def read_headers(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Names as written, values as written or as ``$NAME``."""
    headers: dict[str, tuple[str, str]] = {}
    for line in fields.lines("headers", variables=True):
        for part in _COMMA.split(line):
            name, colon, value = (piece.strip() for piece in part.partition(":"))
            if not colon or _NAME.fullmatch(name) is None:
                fields.error(
                    "headers",
                    "a part of the value is not a header",
                    "Write Name: value, further ones after commas or on indented lines below.",
                )
            elif fault := _fault(name, value):
                fields.error("headers", *fault)
            elif name.lower() in headers:
                fields.error("headers", f"{name} is set twice", "Keep one of them.")
            else:
                variable = only_variable(value)
                headers[name.lower()] = (name, f"${variable}" if variable else value)
    return tuple(headers.values())


def carries_credential(name: str) -> bool:
    """Whether a header of this name lets somebody in."""
    return name.lower() in _CREDENTIALS or is_secret(name) or is_secret_name(name)


def _fault(name: str, value: str) -> tuple[str, str] | None:
    """What is wrong and what to do; the value is not repeated where it may be a credential."""
    if name.lower() in _OURS or name.lower().startswith(_TOLD):
        return f"{name} belongs to the connection, not to the request", "Remove it."
    if only_variable(value):
        return None
    if carries_credential(name) or holds_key(value):
        return (
            f"{name} holds a credential, and other machines may read this file",
            "Write $NAME with the variable that holds the whole value, or name one in api_key_env.",
        )
    if not value:
        return f"{name} has no value", "Write Name: value."
    if not (value.isascii() and value.replace("\t", " ").isprintable()):
        return f"{shown(value)} is no value of a header", "Use ASCII characters only."
    return None
