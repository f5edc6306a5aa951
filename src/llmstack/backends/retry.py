"""When a request that failed is sent again, and how long to wait before.

Only what cannot have been worked on is sent again: no connection was made, or the upstream said
that it is too busy. A timeout or a broken connection after sending may have been billed.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

#: Statuses that say "not now" before any work was done; 529 is Anthropic's.
BUSY = frozenset({429, 503, 529})
#: Seconds after the first attempt began in which the last one begins.
PATIENCE = 10.0
#: The longest Retry-After that is waited for; a longer one is the client's to decide on.
LONGEST_WAIT = 5.0
#: The mean of the first pause, which doubles, and of the longest.
_FIRST, _LONGEST = 0.5, 4.0


def pause(
    attempt: int, *, retries: int, spent: float, random: float, retry_after: float | None = None
) -> float | None:
    """Seconds to wait before the next attempt; None when there shall be none.

    ``attempt`` counts those made from 1, ``spent`` is seconds since the first began, ``random`` is
    in [0, 1). What the upstream asks for is kept to, and is never undercut.
    """
    if attempt > retries:
        return None
    if retry_after is not None:
        if retry_after > LONGEST_WAIT:
            return None
        seconds = max(0.0, retry_after) + random * 0.25
    else:
        seconds = min(_FIRST * 2.0 ** min(attempt - 1, 16), _LONGEST) * (0.5 + random)
    return seconds if spent + seconds <= PATIENCE else None


def retry_after_of(value: bytes | None, now: float) -> float | None:
    """The seconds that a ``Retry-After`` header tells, a number or a date; None for none.

    ``now`` is seconds since 1970.
    """
    if not value:
        return None
    text = value.decode("latin-1").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return max(0.0, seconds) if math.isfinite(seconds) else None
