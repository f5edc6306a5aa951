"""Filters of the activity log beside llama-swap's, on a real database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmstack.activity import ActivityQuery, ActivityRow, ActivityStore, parse_query

if TYPE_CHECKING:
    from collections.abc import Iterator


def row(model: str = "m", status: int = 200, **more: Any) -> ActivityRow:
    return ActivityRow(model, "/v1/chat/completions", status, 5, **more)


ROWS = (
    row("fast", client="ann", tier="code-fast", metadata={"session": "0a1b2c3d"}),
    row("smart", reason="plan words, no tools", metadata={"session": "ffffffff", "x": "0a1b2c3d"}),
    row("smart_100%", 502, error_msg="the model process broke off"),
    row("smart", 499, client="bob"),
    row("ws", 101),
)


@pytest.fixture(scope="module")
def store() -> Iterator[ActivityStore]:
    store = ActivityStore(gather=0.0)
    for one in ROWS:
        store.add(one)
    yield store
    store.close()


def found(store: ActivityStore, **wanted: str) -> list[int]:
    query = parse_query({"order": "asc", **wanted}.items())
    return [one.id for one in store.ask(query).result().rows]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"client": "ann"}, [1]),
        ({"tier": "code-fast"}, [1]),
        ({"session": "0a1b2c3d"}, [1]),
        ({"status": "ok"}, [1, 2, 5]),
        ({"status": "error"}, [3, 4]),
        ({"status": "499"}, [4]),
        ({"search": "SMART"}, [2, 3, 4]),
        ({"search": "plan words"}, [2]),
        ({"search": "broke off"}, [3]),
        ({"search": "chat/comp"}, [1, 2, 3, 4, 5]),
        ({"search": "%"}, [3]),
        ({"search": "_"}, [3]),
        ({"search": "!"}, []),
        ({"search": "' OR 1=1 --"}, []),
        ({"client": "bob", "status": "ok"}, []),
        ({"model": "smart", "status": "error"}, [4]),
        ({"client": "", "search": ""}, [1, 2, 3, 4, 5]),
    ],
)
def test_a_filter_leaves_what_it_names(
    store: ActivityStore, wanted: dict[str, str], ids: list[int]
) -> None:
    assert found(store, **wanted) == ids


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=30))
def test_a_search_finds_exactly_the_rows_that_have_the_text(
    store: ActivityStore, text: str
) -> None:
    def has(one: ActivityRow) -> bool:
        looked = (one.model, one.req_path, one.reason, one.error_msg)
        return any(text.lower() in each.lower() for each in looked)

    if text.isascii() and "\0" not in text:
        expected = [number for number, one in enumerate(ROWS, 1) if has(one)]
        assert found(store, search=text) == expected
    else:
        assert found(store, search=text) == []


def test_metadata_that_another_program_wrote_badly_is_no_error(store: ActivityStore) -> None:
    store._submit(
        lambda connection: connection.execute(
            "INSERT INTO activity (ts_created, model_id, metadata_json) VALUES (5, 'z', '{bad')"
        )
    ).result()
    try:
        assert found(store, session="nobody") == []
    finally:
        store._submit(lambda c: c.execute("DELETE FROM activity WHERE model_id = 'z'")).result()


def test_ids_and_rows_are_those_of_the_query_in_its_order_beyond_any_page(
    store: ActivityStore,
) -> None:
    query = replace(ActivityQuery(limit=1, sort="model", descending=False), status="ok")
    ids = store.ask_ids(query).result()
    assert ids == [1, 2, 5]
    assert [one.id for one in store.ask_rows([5, 99, 1]).result()] == [5, 1]
