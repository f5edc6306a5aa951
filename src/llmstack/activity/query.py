"""The parameters of ``GET /api/metrics/activity``: checked, and turned into SQL (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from typing import TYPE_CHECKING

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What may be sorted by, and the column of each.
COLUMNS = {
    "id": "id",
    "time": "ts_created",
    "model": "model_id",
    "req_path": "req_path",
    "resp_status_code": "resp_status_code",
    "resp_content_type": "resp_content_type",
    "cached": "cache_tokens",
    "prompt": "input_tokens",
    "generated": "output_tokens",
    "drafted": "draft_tokens",
    "prompt_speed": "prompt_per_second",
    "gen_speed": "tokens_per_second",
    "duration": "duration_ms",
    "cost": "cost_usd",
    "ttft": "ttft_ms",
    "client": "client",
    "tier": "tier",
}
#: What may be searched in.
_SEARCHED = ("model_id", "req_path", "reason", "error_msg")
#: Where a row has its session; what another program wrote need not be JSON.
_SESSION = "CASE WHEN json_valid(metadata_json) THEN json_extract(metadata_json, '$.session') END"
_STATUS = {
    "ok": "resp_status_code BETWEEN 1 AND 399",
    "error": "resp_status_code NOT BETWEEN 1 AND 399",
}
#: Characters of a text that is looked for.
LONGEST = 200
_MOST_ROWS = 999
#: SQLite's largest integer.
_LARGEST = (1 << 63) - 1
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CODE = re.compile(r"\d{1,3}", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Which rows, in which order, which page of them.

    ``start`` and ``end`` are seconds since the epoch, both inclusive. ``sort`` is one of
    ``COLUMNS``; rows that are equal in it are in the order of their ids, in the same direction.
    ``status`` is ``ok``, ``error`` or a number; ``search`` is a part of the model's name, the path,
    the reason or the error, whatever its case. Filters that are empty do not count.
    """

    models: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None
    min_id: int | None = None
    max_id: int | None = None
    sort: str = "id"
    descending: bool = True
    page: int = 1
    limit: int = 25
    client: str = ""
    session: str = ""
    tier: str = ""
    status: str = ""
    search: str = ""

    def where(self) -> tuple[str, list[str | int]]:
        """The condition with its values."""
        parts: list[str] = []
        values: list[str | int] = []
        if self.models:
            parts.append(f"model_id IN ({','.join('?' * len(self.models))})")
            values += self.models
        for condition, value in (
            ("ts_created >= ?", self.start),
            ("ts_created <= ?", self.end),
            ("id >= ?", self.min_id),
            ("id <= ?", self.max_id),
        ):
            if value is not None:
                parts.append(condition)
                values.append(value)
        for condition, text in (
            ("client = ?", self.client),
            ("tier = ?", self.tier),
            (f"{_SESSION} = ?", self.session),
        ):
            if text:
                parts.append(condition)
                values.append(text)
        if self.status:
            parts.append(_STATUS.get(self.status, "resp_status_code = ?"))
            values += () if self.status in _STATUS else (int(self.status),)
        if self.search:
            looked = " OR ".join(f"{name} LIKE ? ESCAPE '!'" for name in _SEARCHED)
            parts.append(f"({looked})")
            values += [f"%{_escaped(self.search)}%"] * len(_SEARCHED)
        return (f" WHERE {' AND '.join(parts)}" if parts else ""), values

    def sequence(self) -> str:
        """The order, without the page."""
        direction = "DESC" if self.descending else "ASC"
        column = COLUMNS[self.sort]
        first = "" if column == "id" else f"{column} {direction}, "
        return f" ORDER BY {first}id {direction}"

    def order(self) -> str:
        """The order and the page."""
        offset = min((self.page - 1) * self.limit, _LARGEST)
        return f"{self.sequence()} LIMIT {self.limit} OFFSET {offset}"


def parse_query(parameters: Iterable[tuple[str, str]]) -> ActivityQuery:
    """Read the query's name and value pairs; empty values and unknown names count as absent.

    Raises:
        BadRequest: a value is wrong; the messages are llama-swap's.
    """
    models: list[str] = []
    single: dict[str, str] = {}
    for name, value in parameters:
        if value and name == "model":
            models.append(value)
        elif value:
            single.setdefault(name, value)
    limit = _integer(single, "limit", 25)
    if not 1 <= limit <= _MOST_ROWS:
        raise BadRequest(f"limit must be between 1 and {_MOST_ROWS}")
    page = _integer(single, "page", 1)
    if page < 1:
        raise BadRequest("page must be >= 1")
    sort = single.get("sort", "id")
    if sort not in COLUMNS:
        raise BadRequest("invalid sort column", fix=f"Use one of: {', '.join(COLUMNS)}.")
    order = single.get("order", "desc")
    if order not in ("asc", "desc"):
        raise BadRequest("order must be asc or desc")
    start = _moment(single, "start")
    end = _moment(single, "end")
    if start is not None and end is not None and start > end:
        raise BadRequest("start must be before end")
    min_id, max_id = _bound(single, "min_id"), _bound(single, "max_id")
    if min_id is not None and max_id is not None and min_id > max_id:
        raise BadRequest("min_id must be <= max_id")
    return ActivityQuery(
        models=tuple(dict.fromkeys(models)),
        # Rows have whole seconds: the first at or after start, the last at or before end.
        start=None if start is None else ceil(start),
        end=None if end is None else floor(end),
        min_id=min_id,
        max_id=max_id,
        sort=sort,
        descending=order == "desc",
        page=page,
        limit=limit,
        status=_status(single),
        **{name: _short(single, name) for name in ("client", "session", "tier", "search")},
    )


def parse_rfc3339(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 moment; None when it is none."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        return None


def _integer(single: dict[str, str], name: str, default: int) -> int:
    text = single.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise BadRequest(f"invalid {name}")
    return max(min(int(text), _LARGEST), -_LARGEST)


def _bound(single: dict[str, str], name: str) -> int | None:
    if name not in single:
        return None
    value = _integer(single, name, 1)
    if value < 1:
        raise BadRequest(f"{name} must be >= 1")
    return value


def _short(single: dict[str, str], name: str) -> str:
    text = single.get(name, "")
    if len(text) > LONGEST:
        raise BadRequest(f"{name} must have at most {LONGEST} characters")
    # Half a surrogate pair cannot be asked for: no row has one.
    return text.encode("utf-8", "replace").decode()


def _status(single: dict[str, str]) -> str:
    text = single.get("status", "")
    if text and text not in _STATUS and not _CODE.fullmatch(text):
        raise BadRequest("status must be ok, error or a number")
    return text


def _escaped(text: str) -> str:
    """``text`` for LIKE, with its wildcards taken literally."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _moment(single: dict[str, str], name: str) -> float | None:
    text = single.get(name)
    if text is None:
        return None
    # A plus sign in a query that was not escaped arrives as a space.
    moment = parse_rfc3339(text.replace(" ", "+"))
    if moment is None:
        raise BadRequest(f"invalid '{name}' timestamp, use RFC3339 format")
    return moment
