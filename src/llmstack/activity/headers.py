"""Headers as the activity log shows them: one value each, secrets left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[REDACTED]"
#: Headers whose values are secrets: llama-swap's, and the offered subprotocols of a WebSocket,
#: among which OpenAI's clients put their key.
_SECRET = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "sec-websocket-protocol",
    }
)
#: Ends of names that say the same of others: ``Api-Key``, ``X-Goog-Api-Key``, ``X-Auth-Token``.
_TELLING = ("-key", "apikey", "-token", "-secret", "-password")
#: Names with such an end that hold no secret.
_PLAIN = frozenset({"sec-websocket-key", "idempotency-key"})


def shown_headers(
    headers: Iterable[tuple[bytes, bytes]], *, without: Iterable[str] = ()
) -> dict[str, str]:
    """The first value of each header by its canonical name (``Content-Type``).

    Secrets read ``[REDACTED]``. ``without`` are lower-case names to leave out.
    """
    shown: dict[str, str] = {}
    left_out = frozenset(without)
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if name not in left_out:
            text = REDACTED if _is_secret(name) else value.decode("latin-1")
            shown.setdefault("-".join(part.capitalize() for part in name.split("-")), text)
    return shown


def _is_secret(name: str) -> bool:
    if name in _SECRET:
        return True
    return name.endswith(_TELLING) and name not in _PLAIN
