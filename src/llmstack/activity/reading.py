"""Questions to the activity database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmstack.activity.histogram import histogram
from llmstack.activity.schema import SELECT, to_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from llmstack.activity.query import ActivityQuery
    from llmstack.activity.record import ActivityRow


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of all ``total`` that a query matches."""

    rows: Sequence[ActivityRow]
    page: int
    limit: int
    total: int

    def to_json(self, has_capture: Callable[[int], bool]) -> dict[str, Any]:
        """The answer of ``GET /api/metrics/activity``."""
        return {
            "data": [row.to_json(has_capture=has_capture(row.id)) for row in self.rows],
            "page": self.page,
            "limit": self.limit,
            "total": self.total,
            "total_pages": -(-self.total // self.limit),
        }


def read_page(connection: sqlite3.Connection, query: ActivityQuery) -> Page:
    """The page that ``query`` wants."""
    where, values = query.where()
    count = f"SELECT count(*) FROM activity{where}"  # noqa: S608 - built from constants
    total: int = connection.execute(count, values).fetchone()[0]
    found = connection.execute(f"{SELECT}{where}{query.order()}", values)
    return Page([to_row(row) for row in found], query.page, query.limit, total)


def read_ids(connection: sqlite3.Connection, query: ActivityQuery) -> list[int]:
    """The ids of all rows that ``query`` matches, in its order, whatever its page."""
    where, values = query.where()
    found = connection.execute(
        f"SELECT id FROM activity{where}{query.sequence()}",  # noqa: S608 - built from constants
        values,
    )
    return [number for (number,) in found]


def read_rows(connection: sqlite3.Connection, ids: Sequence[int]) -> list[ActivityRow]:
    """The rows with these ids, at most 999, in their order; those that are gone are left out."""
    found = connection.execute(f"{SELECT} WHERE id IN ({','.join('?' * len(ids))})", tuple(ids))
    rows = {values[0]: to_row(values) for values in found}
    return [rows[number] for number in ids if number in rows]


def read_stats(connection: sqlite3.Connection, models: Sequence[str]) -> dict[str, Any]:
    """The answer of ``GET /api/metrics/stats`` for some models, or all."""
    of_models = f"model_id IN ({','.join('?' * len(models))})" if models else "1"
    activity = f"FROM activity WHERE {of_models}"
    values = tuple(models)
    sums = connection.execute(
        "SELECT count(*), total(input_tokens), total(output_tokens),"
        f" total(max(cache_tokens, 0)) {activity}",
        values,
    ).fetchone()

    def speeds(column: str) -> Iterator[float]:
        query = f"SELECT {column} {activity} AND {column} > 0"
        return (speed for (speed,) in connection.execute(query, values))

    return {
        "total_requests": sums[0],
        "total_input_tokens": int(sums[1]),
        "total_output_tokens": int(sums[2]),
        "total_cache_tokens": int(sums[3]),
        "prompt_histogram": histogram(speeds("prompt_per_second")),
        "gen_histogram": histogram(speeds("tokens_per_second")),
    }
