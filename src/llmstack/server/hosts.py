"""Names of machines as requests write them: which of them are this machine's (pure)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_LONGEST = 255


@lru_cache(maxsize=1024)
def name_of(host: bytes) -> str:
    """The name or address in a ``Host`` header, without its port; empty if it is none.

    Lower case, IPv6 without brackets, one dot at the end taken off (RFC 9110, section 7.2).
    """
    if len(host) > _LONGEST + 8:
        return ""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port)) or not is_address(name) or ":" not in name:
            return ""
        return name
    name, colon, port = text.partition(":")
    if colon and not _is_port(f":{port}"):
        return ""
    name = name.removesuffix(".")
    return name if len(name) <= _LONGEST and _NAME.fullmatch(name) else ""


@lru_cache(maxsize=1024)
def host_of_origin(origin: bytes) -> str:
    """The name or address in an ``Origin`` header; empty for ``null`` and what is no origin."""
    _, separator, rest = origin.partition(b"://")
    return name_of(rest) if separator else ""


@lru_cache(maxsize=1024)
def is_loopback_name(name: str) -> bool:
    """Whether ``name`` can only mean the machine that uses it (RFC 6761, section 6.3)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return _address(name).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def is_loopback_peer(address: str) -> bool:
    """Whether a connection from ``address`` comes from this machine."""
    try:
        return _address(address).is_loopback
    except ValueError:
        return False


def is_address(name: str) -> bool:
    """Whether ``name`` is an IP address, which nobody can point elsewhere."""
    try:
        _address(name)
    except ValueError:
        return False
    return True


def parse_allowed_host(text: str) -> str:
    """A name that somebody allows, empty if it is none. ``*.`` in front stands for all below it."""
    star = "*." if text.startswith("*.") else ""
    name = name_of(text.removeprefix("*.").encode("latin-1", "replace"))
    return f"{star}{name}" if name else ""


def matches(name: str, allowed: frozenset[str]) -> bool:
    """Whether ``name`` is one of ``allowed`` (``parse_allowed_host``)."""
    if name in allowed:
        return True
    parts = name.split(".")
    return any(f"*.{'.'.join(parts[at:])}" in allowed for at in range(1, len(parts)))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[:1] == ":" and (
        not digits or (digits.isdecimal() and digits.isascii() and len(digits) <= 5)
    )
