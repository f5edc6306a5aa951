"""What each client, known by the name of its key, has asked for: in the log and since."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmstack.activity.exposition import Family

if TYPE_CHECKING:
    import sqlite3

    from llmstack.activity.record import ActivityRow

#: Most clients with a series of their own; more are counted together.
MOST = 200
OTHER = "other"


class ClientUse(NamedTuple):
    """Requests in the log, and the Unix time of the last."""

    requests: int
    last: int


def read_clients(connection: sqlite3.Connection) -> dict[str, ClientUse]:
    """What the log has of every client that showed a key with a name."""
    rows = connection.execute(
        "SELECT client, count(*), max(ts_created) FROM activity WHERE client != '' GROUP BY client"
    )
    return {client: ClientUse(requests, last) for client, requests, last in rows}


class _Counts:
    """What is counted of one client."""

    __slots__ = ("cached", "errors", "input", "output", "requests")

    def __init__(self) -> None:
        self.requests = self.errors = self.input = self.output = self.cached = 0


class ClientMetrics:
    """Counts per client since the start, for Prometheus; for one thread."""

    def __init__(self) -> None:
        self._counts: dict[str, _Counts] = {}

    def request(self, row: ActivityRow) -> None:
        """A request has ended; one without a key's name is not counted here."""
        name = row.client
        if not name:
            return
        counts = self._counts.get(name)
        if counts is None:
            if len(self._counts) >= MOST:
                name = OTHER
            counts = self._counts.setdefault(name, _Counts())
        counts.requests += 1
        if row.resp_status_code >= 400:
            counts.errors += 1
        usage = row.usage
        if usage.found:
            counts.input += usage.input_tokens
            counts.output += usage.output_tokens
            counts.cached += max(0, usage.cache_tokens)

    def families(self) -> list[Family]:
        """Everything counted."""
        families = []
        for member, name, text in (
            ("requests", "requests", "Requests that showed the client's key."),
            ("errors", "errors", "Those that ended with a status from 400 on."),
            ("input", "input_tokens", "Prompt tokens that were not cached."),
            ("output", "output_tokens", "Generated tokens."),
            ("cached", "cached_tokens", "Prompt tokens that were taken from the cache."),
        ):
            family = Family(f"llmstack_client_{name}_total", "counter", text)
            for client, counts in sorted(self._counts.items()):
                family.add(getattr(counts, member), (("client", client),))
            families.append(family)
        return families
