"""Edits change what they name, keep pairs together and leave every other byte alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context.body import apply, read_history
from llmstack.context.edits import (
    PLACEHOLDER,
    CutText,
    Drop,
    Edit,
    LimitOutput,
    Note,
    ReplaceResult,
)
from llmstack.context.items import shortened
from llmstack.errors import BadRequest
from tests.context.histories import (
    CHAT,
    MESSAGES,
    RESPONSES,
    Request,
    check_pairs,
    items_of,
    requests,
)
from tests.dialects.recorded import RECORDED

CLEARED = f"{PLACEHOLDER}read /src, 12 kB]"
SEEN = f"{PLACEHOLDER}3 earlier messages are left out]"


def results(request: Request) -> list[ReplaceResult]:
    found = read_history(request.path, request.wire)
    assert found is not None
    return [
        ReplaceResult(result.item, result.block, CLEARED)
        for unit in found.units
        for result in unit.results
    ]


@st.composite
def edited(draw: st.DrawFn) -> tuple[Request, list[Edit]]:
    """A request and any legal set of edits."""
    request = draw(requests())
    found = read_history(request.path, request.wire)
    assert found is not None
    edits: list[Edit] = [edit for edit in results(request) if draw(st.booleans())]
    bounds = [unit.start for unit in found.units] + [found.units[-1].end]
    for _ in range(draw(st.integers(0, 2))):
        start, end = sorted(draw(st.tuples(st.sampled_from(bounds), st.sampled_from(bounds))))
        edits.append(Drop(start, end))
    places = draw(st.lists(st.sampled_from(bounds), max_size=2))
    edits += (Note(place, SEEN) for place in places)
    return request, edits


def pieces(request: Request, body: bytes) -> tuple[dict[str, Any], list[Any]]:
    """The members beside the list, and the list."""
    value = json.loads(body, parse_float=str)
    items = items_of(request.path, value)
    return {name: kept for name, kept in value.items() if kept is not items}, items


@given(edited())
def test_pairs_stay_whole_after_any_legal_edits(drawn: tuple[Request, list[Edit]]) -> None:
    request, edits = drawn
    body = apply(request.path, request.wire, edits)
    check_pairs(request.path, body)
    if any(isinstance(edit, Note) for edit in edits):
        assert SEEN in json.dumps(json.loads(body), ensure_ascii=False)


@given(edited())
def test_what_no_edit_names_keeps_its_value(drawn: tuple[Request, list[Edit]]) -> None:
    request, edits = drawn
    edits = [edit for edit in edits if not isinstance(edit, Note)]
    front, items = pieces(request, request.wire)
    new_front, new_items = pieces(request, apply(request.path, request.wire, edits))
    gone = {i for edit in edits if isinstance(edit, Drop) for i in range(edit.start, edit.end)}
    named = {edit.item for edit in edits if isinstance(edit, ReplaceResult)} - gone
    kept = [index for index in range(len(items)) if index not in gone]
    assert new_front == front
    assert len(kept) == len(new_items)
    for index, new in zip(kept, new_items, strict=True):
        assert index in named or new == items[index]


@given(requests())
def test_no_edits_give_the_same_object(request: Request) -> None:
    assert apply(request.path, request.wire, []) is request.wire
    far = CutText(0, None, 10**6, 10**6, "...")
    assert apply(request.path, request.wire, [far, LimitOutput(100), Drop(1, 1)]) is request.wire


@given(requests())
def test_replaced_results_are_seen_as_cleared_and_replacing_again_changes_nothing(
    request: Request,
) -> None:
    body = apply(request.path, request.wire, results(request))
    found = read_history(request.path, body)
    assert found is not None
    again = [result for unit in found.units for result in unit.results]
    assert len(again) == len(results(request))
    assert all(result.cleared and result.chars == len(CLEARED) for result in again)
    assert apply(request.path, body, results(request)) is body


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_only_the_named_bytes_change(path: str) -> None:
    """B1: numbers, escapes, doubled names and white space survive beside an edit."""
    name = "input" if path == RESPONSES else "messages"
    result = {
        CHAT: '{ "role":"tool" , "tool_call_id":"a", "x":1.50, "content" : "OLD", "y":1e2 }',
        MESSAGES: '{"role":"user","content":[ {"type":"tool_result", "tool_use_id":"a",'
        ' "content" : "OLD", "big":123456789012345678901234567890 } , {"type":"x","z":-0.0}]}',
        RESPONSES: '{"type":"function_call_output","call_id":"a","output":"OLD","\\u0061":1.0}',
    }[path]
    call = {
        CHAT: '{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"ls"}}]}',
        MESSAGES: '{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"ls"}]}',
        RESPONSES: '{"type":"function_call","call_id":"a","name":"ls","arguments":"{}"}',
    }[path]
    body = (
        f' {{"temperature":0, "{name}" : 5, "seed":12345678901234567890123,\n "{name}":[\n'
        f'{{"role":"user","content":"caf\\u00e9 \\ud83d"}} ,{call}, {result}\n]\t,"top_p":1.0}}\n'
    ).encode()
    block = 0 if path == MESSAGES else None
    assert apply(path, body, [ReplaceResult(2, block, "NEW")]) == body.replace(b'"OLD"', b'"NEW"')


def test_a_drop_that_splits_a_round_is_a_programming_error() -> None:
    request = chat(USER, CALL, RESULT, USER)
    for edit in (Drop(1, 2), Drop(2, 3), Drop(0, 2), Note(2, "x"), Drop(0, 9), Note(9, "x")):
        with pytest.raises(ValueError, match=r"split|outside"):
            apply(CHAT, request, [edit])
    for wrong in (ReplaceResult(1, None, "x"), ReplaceResult(2, 0, "x"), CutText(2, 3, 1, 1, "")):
        with pytest.raises(ValueError, match=r"no result|no block|neither"):
            apply(CHAT, request, [wrong])
    with pytest.raises(ValueError, match="no list"):
        apply(CHAT, b"{}", [Drop(0, 0)])
    with pytest.raises(BadRequest):
        apply(CHAT, b"[]", [LimitOutput(5)])


USER = {"role": "user", "content": "words"}
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "a", "function": {"name": "ls", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "files"}
ANSWER = {"role": "assistant", "content": "done"}


def chat(*items: Any, **more: Any) -> bytes:
    return json.dumps({"messages": items, **more}).encode()


def messages_after(path: str, items: list[Any], edits: list[Edit]) -> list[Any]:
    name = "input" if path == RESPONSES else "messages"
    return items_of(path, json.loads(apply(path, json.dumps({name: items}).encode(), edits)))


@pytest.mark.parametrize("path", [CHAT, MESSAGES, RESPONSES])
def test_a_note_joins_the_users_message_at_its_place(path: str) -> None:
    items = [USER, ANSWER, USER, ANSWER, ANSWER]
    noted = {"role": "user", "content": "gone\n\nwords"}
    assert messages_after(path, items, [Note(2, "gone")]) == [USER, ANSWER, noted, ANSWER, ANSWER]
    # What is dropped counts as what comes after it.
    assert messages_after(path, items, [Drop(1, 2), Note(1, "gone")])[1] == noted
    # Before an answer the note follows what the user said, so that turns alternate.
    late = {"role": "user", "content": "words\n\ngone"}
    assert messages_after(path, items, [Drop(1, 3), Note(1, "gone")])[0] == late
    own = {"role": "user", "content": "gone"}
    assert messages_after(path, items, [Note(5, "gone")])[5] == own
    assert messages_after(path, [ANSWER], [Note(0, "gone")]) == [own, ANSWER]


def test_notes_at_one_place_keep_their_order() -> None:
    (user, *_) = messages_after(CHAT, [USER, ANSWER], [Note(0, "one"), Note(0, "two")])
    assert user["content"] == "one\n\ntwo\n\nwords"


def test_a_note_in_a_list_of_parts_is_a_part_and_results_stay_first() -> None:
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "ls"}]}
    told = {"type": "tool_result", "tool_use_id": "a", "content": "x"}
    user = {"role": "user", "content": [told, {"type": "text", "text": "words"}]}
    (_, noted) = messages_after(MESSAGES, [call, user], [Note(1, "gone")])
    assert noted["content"] == [told, {"type": "text", "text": "gone"}, user["content"][1]]
    parts = {"role": "user", "content": [{"type": "input_text", "text": "words"}]}
    (noted,) = messages_after(RESPONSES, [parts], [Note(0, "gone")])
    assert noted["content"] == [{"type": "input_text", "text": "gone"}, parts["content"][0]]
    assert messages_after(RESPONSES, ["words"], [Note(0, "gone")]) == ["gone\n\nwords"]


def test_a_giant_text_keeps_its_head_and_tail() -> None:
    """V2: one line of thousands of words never becomes nothing."""
    line = {"role": "user", "content": "word " * 5000}
    (short,) = messages_after(CHAT, [line], [CutText(0, None, 50, 20, "[cut]")])
    assert short["content"] == f"{'word ' * 10}\n[cut]\n{'word ' * 4}"


def test_of_several_parts_the_longest_is_cut() -> None:
    small, big = {"type": "text", "text": "a" * 50}, {"type": "text", "text": "b" * 500, "x": 1.0}
    told = {"type": "tool_result", "tool_use_id": "a", "content": [small, big]}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "ls"}]}
    items = [{"role": "user", "content": [small, big]}, call, {"role": "user", "content": [told]}]
    edits: list[Edit] = [CutText(0, None, 5, 5, "..."), CutText(2, 0, 6, 6, "...")]
    (user, _, result) = messages_after(MESSAGES, items, edits)
    assert user["content"] == [small, {**big, "text": "bbbbb\n...\nbbbbb"}]
    assert result["content"][0]["content"] == [small, {**big, "text": "bbbbbb\n...\nbbbbbb"}]


@given(st.text(max_size=300), st.integers(0, 60), st.integers(0, 60))
def test_a_cut_text_is_a_head_and_a_tail_of_it(text: str, head: int, tail: int) -> None:
    """V4: nothing inside of what is kept is touched, indentation least of all."""
    short = shortened(text, CutText(0, None, head, tail, "[cut]"))
    if short is text:
        assert len(text) <= head + tail + len("[cut]")
        return
    before, _, after = short.partition("[cut]\n")
    assert text.endswith(after)
    assert len(after) <= tail
    assert text.startswith((before, before.removesuffix("\n")))
    assert len(before) <= head + 1


def test_cuts_fall_on_the_ends_of_lines() -> None:
    code = "".join(f"    line {number:02}\n" for number in range(40))
    short = shortened(code, CutText(0, None, 100, 100, "[cut]"))
    lines = short.splitlines()
    assert all(line == "[cut]" or len(line) == len("    line 00") for line in lines)


def test_the_output_limit_that_is_there_is_changed_and_none_is_added() -> None:
    """B8: a limit that does not fit is clamped."""
    assert apply(CHAT, b'{"max_tokens": 32000 }', [LimitOutput(900)]) == b'{"max_tokens": 900 }'
    both = b'{"max_completion_tokens":9e3,"max_output_tokens":5,"n_predict":-1,"max_tokens":null}'
    clamped = b'{"max_completion_tokens":7,"max_output_tokens":7,"n_predict":-1,"max_tokens":null}'
    assert apply(CHAT, both, [LimitOutput(7)]) == clamped
    nothing = chat(USER)
    assert apply(CHAT, nothing, [LimitOutput(7)]) is nothing
    with pytest.raises(ValueError, match="none"):
        apply(CHAT, nothing, [LimitOutput(0)])


def test_a_thinking_budget_stays_below_the_output_limit() -> None:
    def thinking(limit: int) -> Any:
        body = b'{"max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":16000}}'
        return json.loads(apply(MESSAGES, body, [LimitOutput(limit)])).get("thinking")

    assert thinking(20000)["budget_tokens"] == 16000
    assert thinking(8000)["budget_tokens"] == 4000
    assert thinking(2000) is None


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_recorded_requests_keep_all_but_what_an_edit_names(recorded: Any) -> None:
    request = Request(recorded.path, recorded.body, 0, recorded.wire)
    body = apply(request.path, request.wire, results(request))
    told = [unit.results for unit in _history(request).units]
    texts = [item["content"] for item in request.items if item.get("role") == "tool"]
    assert sum(map(len, told)) == len(texts)
    back = body
    for text in texts:
        old = json.dumps(text, ensure_ascii=False).encode()
        back = back.replace(json.dumps(CLEARED).encode(), old, 1)
    assert back == request.wire


def _history(request: Request) -> Any:
    return read_history(request.path, request.wire)
