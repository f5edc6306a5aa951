"""What has happened since a moment, as sums over the activity database."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

#: Seconds for which swaps are remembered.
KEPT: Final = 40 * 24 * 3600
_FIRST_FAILURE: Final = 400


@dataclass(frozen=True, slots=True)
class Day:
    """Sums of requests and swaps since ``since`` (epoch seconds).

    Tokens are as rows have them: with llama-server, ``input_tokens`` are those that were not
    cached. ``swap_s`` is what loads that others had to make room for took, from the first one's
    stop to readiness. ``reread_tokens`` were read although the session's earlier prompt had them
    (``activity.reprefill``: an estimate), and ``reread_s`` is that at the prompt speed which the
    model told with the same answer; an answer without one adds nothing. ``peaks`` is the fastest
    generation of each model, in tokens per second.
    """

    since: float
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reread_tokens: int = 0
    reread_s: float = 0.0
    swaps: int = 0
    swap_s: float = 0.0
    peaks: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def read_day(connection: sqlite3.Connection, since: float) -> Day:
    """The sums since ``since``, or since the oldest row that is kept if older ones are gone."""
    oldest, first = connection.execute(
        "SELECT min(id), (SELECT ts_created FROM activity ORDER BY id LIMIT 1) FROM activity"
    ).fetchone()
    if oldest is not None and oldest > 1 and first > since:
        since = float(first)
    sums = connection.execute(
        "SELECT count(*), total(resp_status_code >= ?), total(input_tokens), total(output_tokens),"
        " total(max(cache_tokens, 0)), total(reread_tokens),"
        " total(CASE WHEN prompt_per_second > 0 THEN reread_tokens / prompt_per_second END)"
        " FROM activity WHERE ts_created >= ?",
        (_FIRST_FAILURE, since),
    ).fetchone()
    swaps = connection.execute(
        "SELECT count(*), total(seconds) FROM swaps WHERE ts_created >= ?", (since,)
    ).fetchone()
    peaks = connection.execute(
        "SELECT model_id, max(tokens_per_second) FROM activity"
        " WHERE ts_created >= ? AND tokens_per_second > 0 GROUP BY model_id",
        (since,),
    )
    return Day(
        since=since,
        requests=sums[0],
        errors=int(sums[1]),
        input_tokens=int(sums[2]),
        output_tokens=int(sums[3]),
        cached_tokens=int(sums[4]),
        reread_tokens=int(sums[5]),
        reread_s=sums[6],
        swaps=swaps[0],
        swap_s=swaps[1],
        peaks=MappingProxyType(dict(peaks.fetchall())),
    )


def write_swap(connection: sqlite3.Connection, model: str, seconds: float, when: float) -> None:
    """Remember a swap to ``model`` that ended at ``when``, and forget those of long ago."""
    connection.execute("DELETE FROM swaps WHERE ts_created < ?", (when - KEPT,))
    connection.execute("INSERT INTO swaps VALUES (?, ?, ?)", (int(when), model, seconds))
