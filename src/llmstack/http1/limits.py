"""How long the parts of a request may take."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds; None is no limit.

    ``connect`` and ``handshake`` (TLS) bound a new connection; ``head`` the wait for the head of
    the answer once the request has been sent, so that a long upload has its time; ``idle`` how long
    a connection is kept unused. ``probe`` is the interval of TCP's own probes of a connection that
    is silent, which find out that the other machine has gone. ``stale`` is for how long the end of
    a kept connection without a word means that it had been closed before, so that the request is
    sent once more; later it may have been worked on, and paid for.
    """

    connect: float | None = None
    handshake: float | None = None
    head: float | None = None
    idle: float | None = None
    probe: float | None = None
    stale: float | None = None

    def connection(self, *, tls: bool) -> float | None:
        """The bound of a whole new connection."""
        if self.connect is None or not tls:
            return self.connect
        return None if self.handshake is None else self.connect + self.handshake


def probe(connection: socket.socket, interval: float) -> None:
    """Have the system probe a silent connection every ``interval`` seconds (at least one)."""
    seconds = max(1, round(interval))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):  # the second one on macOS
        option = getattr(socket, name, None)
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, seconds)
