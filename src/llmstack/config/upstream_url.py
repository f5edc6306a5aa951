"""Addresses of servers, as users write them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from llmstack.config.numbers import BadValueError
from llmstack.config.variables import variables_in

_UNSAFE = re.compile(r"[\s\\\"'<>`{}|^]")
_EXAMPLE = "Write http:// or https://, a host, and perhaps a port and a path."


def url_fault(text: str) -> tuple[str, str]:
    """What is wrong with an address and what to write, both empty if it is in order.

    What could hold a credential is not repeated.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "the value is not a URL", _EXAMPLE
    if parts.scheme.lower() not in ("http", "https") or not host:
        return "the value is not an http or https URL", _EXAMPLE
    if "@" in parts.netloc:
        return (
            "the URL holds a user or password, which other machines may read here",
            "Take it out; name the variable that holds a key in api_key_env, or in headers.",
        )
    if "?" in text or "#" in text:
        return "the URL has a query or fragment", "End it before the ? or #."
    if _UNSAFE.search(text) or not text.isascii() or not text.isprintable():
        return "the URL holds a character that no URL holds", _EXAMPLE
    return "", ""


def parse_url(text: str) -> str:
    """An http or https address without ``/`` at its end.

    One with a ``$NAME`` in it is only known, and checked, where the environment is.
    """
    if not variables_in(text):
        what, fix = url_fault(text)
        if what:
            raise BadValueError(what, fix)
    elif "@" in text:
        raise BadValueError(
            "the URL holds a user or password, which other machines may read here",
            "Take it out; name the variable that holds a key in api_key_env, or in headers.",
        )
    return text.rstrip("/")
