"""The parameters of the activity list are checked with llama-swap's messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity import ActivityQuery, parse_query, parse_rfc3339
from llmstack.activity.query import COLUMNS
from llmstack.errors import BadRequest


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"limit": "x"}, "invalid limit"),
        ({"limit": "1.5"}, "invalid limit"),
        ({"limit": "0"}, "limit must be between 1 and 999"),
        ({"limit": "-1"}, "limit must be between 1 and 999"),
        ({"limit": "1000"}, "limit must be between 1 and 999"),
        ({"limit": "9999999999999999999"}, "limit must be between 1 and 999"),
        ({"page": "0"}, "page must be >= 1"),
        ({"page": "x"}, "invalid page"),
        ({"sort": "size"}, "invalid sort column"),
        ({"sort": "id; DROP TABLE activity"}, "invalid sort column"),
        ({"order": "up"}, "order must be asc or desc"),
        ({"start": "yesterday"}, "invalid 'start' timestamp, use RFC3339 format"),
        ({"start": "2025-01-02"}, "invalid 'start' timestamp, use RFC3339 format"),
        ({"end": "2025-01-02T03:04:05"}, "invalid 'end' timestamp, use RFC3339 format"),
        ({"end": "2025-13-02T03:04:05Z"}, "invalid 'end' timestamp, use RFC3339 format"),
        (
            {"start": "2025-01-02T03:04:06Z", "end": "2025-01-02T03:04:05Z"},
            "start must be before end",
        ),
        ({"min_id": "0"}, "min_id must be >= 1"),
        ({"max_id": "0"}, "max_id must be >= 1"),
        ({"max_id": "x"}, "invalid max_id"),
        ({"min_id": "3", "max_id": "2"}, "min_id must be <= max_id"),
        ({"status": "good"}, "status must be ok, error or a number"),
        ({"status": "2000"}, "status must be ok, error or a number"),
        ({"search": "x" * 201}, "search must have at most 200 characters"),
        ({"client": "x" * 201}, "client must have at most 200 characters"),
    ],
)
def test_wrong_values_are_refused(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_query(parameters.items())
    assert caught.value.what == message


def test_without_parameters_the_newest_25_are_wanted() -> None:
    assert parse_query([]) == ActivityQuery((), None, None, None, None, "id", True, 1, 25)
    assert parse_query([("limit", ""), ("other", "x")]) == ActivityQuery()


def test_every_parameter_is_read() -> None:
    query = parse_query(
        [
            ("model", "b"),
            ("model", "a/b:c"),
            ("model", "b"),
            ("start", "1970-01-01T00:00:10.5Z"),
            ("end", "1970-01-01T01:00:20.5 01:00"),
            ("min_id", "1"),
            ("max_id", "9"),
            ("sort", "gen_speed"),
            ("order", "asc"),
            ("page", "3"),
            ("limit", "999"),
        ]
    )
    assert query == ActivityQuery(("b", "a/b:c"), 11, 20, 1, 9, "gen_speed", False, 3, 999)
    where, values = query.where()
    assert where.count("?") == len(values) == 6
    assert query.order() == " ORDER BY tokens_per_second ASC, id ASC LIMIT 999 OFFSET 1998"


@pytest.mark.parametrize("sort", COLUMNS)
def test_ties_are_in_the_order_of_ids(sort: str) -> None:
    order = parse_query([("sort", sort)]).order()
    assert "id DESC LIMIT 25 OFFSET 0" in order


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:01.5z", 1.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.123456789Z", 0.123456),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01 00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", -62135683140),
        ("٢٠٢٥-01-01T00:00:00Z", None),
    ],
)
def test_moments(text: str, seconds: float | None) -> None:
    found = parse_rfc3339(text)
    assert (found is None) == (seconds is None)
    assert found == pytest.approx(seconds)


@given(st.dictionaries(st.sampled_from(["limit", "page", "start", "min_id", "sort"]), st.text()))
def test_any_value_is_read_or_refused(parameters: dict[str, str]) -> None:
    try:
        query = parse_query(parameters.items())
    except BadRequest:
        return
    query.order()
