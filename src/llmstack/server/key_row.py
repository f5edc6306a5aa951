"""What is told of a key: everything but the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.activity.clients import ClientUse
    from llmstack.config.access_key import AccessKey


def key_row(
    key: AccessKey, now: float, use: ClientUse | None = None, last_used: int = 0
) -> dict[str, Any]:
    """The row of ``GET /api/keys``. Times are Unix seconds, the rate is requests a minute.

    ``use`` is what the log has of it, ``last_used`` the time of its last request of any kind.
    """
    last = max(last_used, use.last if use else 0)
    return {
        "name": key.name,
        "prefix": key.prefix,
        "models": None if key.models is None else list(key.models),
        "admin": key.admin,
        "created": key.created,
        "expires": key.expires,
        "expired": key.expired(now),
        "last_used": last or None,
        "requests": use.requests if use else 0,
        "rate": key.rate,
        "source": key.source,
        "revocable": key.source == "file",
    }
