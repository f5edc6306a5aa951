"""One line for every request, as llama-swap writes it (its behaviour report, section 3.1).

``Request ADDRESS "METHOD PATH PROTO" STATUS BYTES "USER AGENT" DURATION``, when the request ends.
"""

from __future__ import annotations

import json
import logging
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING

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
_UNITS = ((1e-6, 1e9, 0, "ns"), (1e-3, 1e6, 3, "µs"), (1.0, 1e3, 6, "ms"))


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
            took = go_duration(time.perf_counter() - begun)
            address, line, agent = _about(scope)
            log.info('Request %s "%s" %d %d %s %s', address, line, status, size, agent, took)


def _about(scope: Scope) -> tuple[str, str, str]:
    """Address, request line and user agent."""
    forwarded = real = agent = b""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            agent = agent or value
        elif name == b"x-forwarded-for":
            forwarded = forwarded or value
        elif name == b"x-real-ip":
            real = real or value
    told = forwarded.partition(b",")[0].strip() or real.strip()
    client = scope.get("client")
    address = client[0] if client else ""
    if told and _ADDRESS.fullmatch(text := told.decode("latin-1")):
        address = text
    method = scope.get("method", "GET")  # a WebSocket has none
    path = scope["raw_path"].decode("latin-1")
    return address, f"{method} {path} HTTP/{scope['http_version']}", quoted(agent)


@lru_cache(maxsize=256)
def quoted(agent: bytes) -> str:
    """A header's value in quotes, in which nothing can end the line or move the cursor."""
    return json.dumps(agent.decode("latin-1"))


def go_duration(seconds: float) -> str:
    """A time as Go writes it: ``1.5ms``, ``2s``, ``1m0.25s``."""
    for limit, factor, digits, unit in _UNITS:
        if seconds < limit:
            return f"{_short(seconds * factor, digits)}{unit}"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{_short(rest, 9)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
