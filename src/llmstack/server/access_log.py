"""One line for every request, as llama-swap writes it (its behaviour report, section 3.1).

``Request ADDRESS "METHOD PATH PROTO" STATUS BYTES "USER AGENT" DURATION``, when the request ends.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import TYPE_CHECKING

from llmstack.server.asgi import header

if TYPE_CHECKING:
    from llmstack.server.asgi import App, Message, Receive, Scope, Send

log = logging.getLogger("llmstack.access")

#: In the scope of a request that has its line here, so that it gets no other.
LOGGED = "llmstack.logged"

#: Status of a request whose client left before its answer began (nginx's number for it).
_LEFT = 499
#: Beginnings of paths that are asked for too often to be told.
_QUIET = ("/wol-health", "/api/performance", "/metrics")
_ADDRESS = re.compile(r"[0-9A-Za-z.:%\[\]_-]{1,64}")
_UNITS = ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms"))


class AccessLog:
    """An application whose every request is told."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["path"].startswith(_QUIET) or not log.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status, size = _LEFT, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            kind = message["type"]
            if kind.endswith("response.start"):
                status = message["status"]
            elif kind.endswith("response.body"):
                size += len(message.get("body", b""))
            elif kind == "websocket.accept":
                status = 101
            await send(message)

        scope[LOGGED] = True
        try:
            await self._app(scope, receive, counted)
        finally:
            told = time.perf_counter() - begun
            log.info("Request %s %s %d %d %s %s", *_about(scope), status, size, *_end(scope, told))


def _about(scope: Scope) -> tuple[str, str]:
    method = scope.get("method", "GET")  # a WebSocket has none
    path = scope["raw_path"].decode("latin-1")
    return client_address(scope), f'"{method} {path} HTTP/{scope["http_version"]}"'


def _end(scope: Scope, seconds: float) -> tuple[str, str]:
    agent = (header(scope, b"user-agent") or b"").decode("latin-1")
    return json.dumps(agent), go_duration(seconds)


def client_address(scope: Scope) -> str:
    """Who asks: the first of ``X-Forwarded-For``, else ``X-Real-IP``, else the connection's end."""
    told = (header(scope, b"x-forwarded-for") or b"").partition(b",")[0].strip()
    told = told or (header(scope, b"x-real-ip") or b"").strip()
    address = told.decode("latin-1")
    if _ADDRESS.fullmatch(address):
        return address
    client = scope.get("client")
    return str(client[0]) if client else ""


def go_duration(seconds: float) -> str:
    """A time as Go writes it: ``1.5ms``, ``2s``, ``1m0.25s``."""
    for limit, factor, unit in _UNITS:
        if seconds < limit:
            return f"{_short(seconds * factor, 0 if unit == 'ns' else 6)}{unit}"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{_short(rest, 9)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
