"""The limits of a connection, as a configuration writes them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from llmstack.http1 import Limits

if TYPE_CHECKING:
    from llmstack.config.swap import Timeouts


@lru_cache(maxsize=256)
def limits_of(timeouts: Timeouts) -> Limits:
    """``timeouts`` of a model or peer as the client towards it takes them; 0 is no limit."""
    return Limits(
        connect=timeouts.connect or None,
        handshake=timeouts.tls_handshake or None,
        head=timeouts.response_header or None,
        idle=timeouts.idle_conn or None,
        probe=timeouts.keepalive or None,
    )
