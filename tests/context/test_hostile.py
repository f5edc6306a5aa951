"""Any JSON anywhere: everything here gives an answer or refuses with BadRequest."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context.body import apply, read_history
from llmstack.context.edits import CutText, Drop, LimitOutput, Note, ReplaceResult
from llmstack.context.hygiene import clean
from llmstack.context.prefix import chain
from llmstack.errors import BadRequest
from tests.context.histories import CHAT, MESSAGES, RESPONSES
from tests.dialects.test_hostile import PARTS, VALUES

KINDS = [
    *("message", "reasoning", "function_call", "function_call_output", "mcp_call"),
    *("local_shell_call", "computer_call_output", "custom_tool_call_output"),
]
IDS = st.sampled_from(["a", "b", "", None, 5, [], {}])
TOOL_PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["tool_use", "tool_result"])},
    optional={"id": IDS, "tool_use_id": IDS, "name": VALUES, "input": VALUES, "content": VALUES},
)
ITEMS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "assistant", "tool", "system", "function", 5]),
            "content": st.one_of(VALUES, st.lists(st.one_of(PARTS, TOOL_PARTS), max_size=3)),
            "type": st.one_of(st.sampled_from(KINDS), VALUES),
            "tool_calls": st.one_of(
                VALUES,
                st.lists(st.fixed_dictionaries({"id": IDS, "function": VALUES}), max_size=3),
            ),
            "function_call": VALUES,
            "tool_call_id": IDS,
            "call_id": IDS,
            "id": IDS,
            "output": VALUES,
            "arguments": VALUES,
            "action": VALUES,
            "summary": VALUES,
        },
    ),
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.one_of(VALUES, st.lists(ITEMS, max_size=6)),
        "input": st.one_of(VALUES, st.lists(ITEMS, max_size=6)),
        "system": VALUES,
        "instructions": VALUES,
        "tools": st.one_of(VALUES, st.lists(TOOL_PARTS, max_size=3)),
        "max_tokens": VALUES,
        "thinking": st.one_of(VALUES, st.just({"budget_tokens": 9999})),
    },
)
PATHS = st.sampled_from([CHAT, MESSAGES, RESPONSES, f"{MESSAGES}/count_tokens", "/v1/completions"])


@given(PATHS, BODIES)
def test_any_json_is_read_and_its_edits_are_valid_json(path: str, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    clean(path, body)
    chain(path, body)
    with suppress(BadRequest):
        found = read_history(path, body)
        limited = apply(path, body, [LimitOutput(9)])
        json.loads(limited)
        if found is None:
            return
        results = [result for unit in found.units for result in unit.results]
        replaced = apply(
            path, body, [ReplaceResult(result.item, result.block, "x") for result in results]
        )
        again = read_history(path, replaced)
        assert again is not None
        texts = [result.sha for unit in again.units for result in unit.results]
        assert len(texts) == len(results)
        assert len(set(texts)) <= 1
        for unit in found.units:
            name = "input" if found.api == "responses" else "messages"
            rest = apply(path, body, [Drop(unit.start, unit.end)])
            assert len(json.loads(rest)[name]) == len(value[name]) - unit.end + unit.start
            json.loads(apply(path, body, [Note(unit.start, "x")]))
            for item in range(unit.start, unit.end):
                with suppress(ValueError):
                    json.loads(apply(path, body, [CutText(item, None, 1, 1, "")]))


@given(PATHS, st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(path: str, body: bytes) -> None:
    clean(path, body)
    chain(path, body)
    with suppress(BadRequest):
        read_history(path, body)
    with suppress(BadRequest, ValueError):
        apply(path, body, [Drop(0, 0)])


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_deep_nesting_is_refused(path: str) -> None:
    name = "input" if path == RESPONSES else "messages"
    for depth in (400, 900, 100_000):
        deep = "[" * depth + "]" * depth
        body = f'{{"{name}":[{{"role":"user","content":{deep}}}]}}'.encode()
        for work in (read_history, lambda at, raw: apply(at, raw, [Note(0, "x")]), clean, chain):
            with suppress(BadRequest):
                work(path, body)
