"""What the headers of a request tell of who asks: gathered in one pass, judged by ``Guard``."""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64
from typing import TYPE_CHECKING

from llmstack.server.hosts import is_loopback_name, is_loopback_peer, name_of

if TYPE_CHECKING:
    from llmstack.server.asgi import Scope

#: Where a request's ``Asking`` is kept in its scope.
ASKING = "llmstack.asking"

_AUTHORIZATION, _API_KEY, _HOST = b"authorization", b"x-api-key", b"host"
_ORIGIN, _SITE, _MODE = b"origin", b"sec-fetch-site", b"sec-fetch-mode"
#: What proxies add: the request then comes from somebody else than its peer.
_FORWARDED = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"cf-connecting-ip",
    }
)
_TOLD = _FORWARDED | {_AUTHORIZATION, _API_KEY, _HOST, _ORIGIN, _SITE, _MODE}


class Asking:
    """Who asks, as far as headers tell. Of a header that comes twice the first counts.

    ``api_key`` and ``authorization`` are as they were sent. ``doubled`` says that there are several
    ``Host``s, which no honest client sends; ``entered`` that the guard has seen the request.
    """

    __slots__ = (
        "_old",
        "_peer",
        "api_key",
        "authorization",
        "doubled",
        "entered",
        "forwarded",
        "host",
        "mode",
        "origin",
        "site",
    )

    def __init__(self, scope: Scope) -> None:
        self.authorization = self.api_key = b""
        self.host: bytes | None = None
        self.origin: bytes | None = None
        self.site = self.mode = b""
        self.forwarded = self.doubled = self.entered = False
        self._peer = scope.get("client")
        # nginx, unless it is told otherwise, speaks 1.0 to what is behind it and adds no header.
        self._old = scope.get("http_version") == "1.0"
        for name, value in scope["headers"]:
            if name not in _TOLD:
                continue
            if name == _HOST:
                self.doubled = self.host is not None
                if not self.doubled:
                    self.host = value
            elif name == _AUTHORIZATION:
                self.authorization = self.authorization or value
            elif name == _API_KEY:
                self.api_key = self.api_key or value
            elif name == _ORIGIN:
                self.origin = value if self.origin is None else self.origin
            elif name == _SITE:
                self.site = self.site or value
            elif name == _MODE:
                self.mode = self.mode or value
            else:
                self.forwarded = True

    @property
    def near(self) -> bool:
        """Whether the connection comes from this machine; perhaps from a proxy on it."""
        return self._peer is not None and is_loopback_peer(self._peer[0])

    @property
    def local(self) -> bool:
        """Whether it comes from this machine itself, and from no page that only says so.

        The peer is this machine, no proxy has passed it on, and the name that was asked for is this
        machine's own: a page that points its own name at 127.0.0.1 is refused by that.
        """
        return (
            not (self.forwarded or self._old)
            and self.near
            and self.host is not None
            and is_loopback_name(name_of(self.host))
        )

    @property
    def shown(self) -> bytes:
        """The key: Basic password before Bearer before ``x-api-key``; or nothing."""
        if self.authorization:
            kind, _, value = self.authorization.strip().partition(b" ")
            kind, value = kind.lower(), value.strip()
            if kind == b"bearer" and value:
                return value
            if kind == b"basic" and (password := _password(value)):
                return password
        return self.api_key.strip()

    @property
    def explicit(self) -> bytes:
        """The key, if it was put there on purpose: browsers send Basic by themselves."""
        if self.authorization[:6].lower() == b"basic ":
            return b""
        return self.shown


def asking_of(scope: Scope) -> Asking:
    """The ``Asking`` of a request, gathered once."""
    known: Asking | None = scope.get(ASKING)
    if known is None:
        known = scope[ASKING] = Asking(scope)
    return known


def _password(value: bytes) -> bytes:
    try:
        return a2b_base64(value).partition(b":")[2]
    except BinasciiError:
        return b""
