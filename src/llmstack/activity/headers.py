"""Headers as the activity log shows them: one value each, secrets left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[REDACTED]"
#: Headers whose values are secrets.
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})


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
            text = REDACTED if name in _SECRET else value.decode("latin-1")
            shown.setdefault("-".join(part.capitalize() for part in name.split("-")), text)
    return shown
