"""Where an Ollama may be listening, as people and Ollama's own variables write it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Where it listens when nobody says otherwise.
DEFAULT: Final = "http://127.0.0.1:11434"

#: Variables that name it. The first is that of a llama-swap with this feature, and says only this;
#: Ollama's own may be there for its server.
VARIABLES: Final = ("LLAMASWAP_OLLAMA_ENDPOINT", "OLLAMA_HOST")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_PORTS = {"http": 80, "https": 443}


def candidates(setting: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses to try, in order: what ``setting`` names alone, else the usual places."""
    usual = (*(environ.get(name, "") for name in VARIABLES), DEFAULT)
    found = (address(text) for text in ((setting,) if setting else usual) if text.strip())
    return tuple(dict.fromkeys(base for base in found if base))


def is_ours(base: str, ports: frozenset[int]) -> bool:
    """Whether ``base`` is one of this machine's ``ports``, which are our own doors."""
    where = urlsplit(base)
    host = where.hostname or ""
    here = host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
    return here and where.port in ports


def address(written: str) -> str:
    """The base URL for an address in any of Ollama's spellings; empty for what is none.

    They are Ollama's (``envconfig.Host``): quotes and spaces around it do not count; without a
    scheme the port is 11434, with one the scheme's; a wrong port is the default one. An address to
    listen on everywhere is one to ask here. An ending ``/v1`` is dropped: the API is beside it. So
    ``:8080`` is ``http://127.0.0.1:8080`` and ``https://gpu/ollama/`` ``https://gpu:443/ollama``.
    """
    text = written.strip().strip("\"'").strip()
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "http", text
    scheme = scheme.lower()
    if scheme not in _PORTS:
        return ""
    default = _PORTS[scheme] if mark else 11434
    where, slash, path = rest.partition("/")
    path = (slash + path).rstrip("/").removesuffix("/v1")
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        return ""
    host, port = _split(where)
    host = _host(host)
    if not host or not re.fullmatch(r"[A-Za-z0-9-]*", port):
        return ""
    number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536 else default
    return f"{scheme}://{host}:{number}{path}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _split(where: str) -> tuple[str, str]:
    """Host and port, the latter perhaps empty; an IPv6 address may come without brackets."""
    if where.startswith("["):
        host, closed, port = where[1:].partition("]")
        good = closed and ":" in host and (not port or port.startswith(":"))
        return (host, port[1:]) if good else ("[", "")
    if where.count(":") > 1:
        return where, ""
    host, _, port = where.partition(":")
    return host, port


def _host(host: str) -> str:
    """``host`` as it is asked, empty for what is none."""
    if not host:
        return "127.0.0.1"
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() if len(host) <= 253 and _NAME.fullmatch(host) else ""
    if number.is_unspecified:
        return "127.0.0.1" if number.version == 4 else "[::1]"
    return f"[{number}]" if number.version == 6 else str(number)
