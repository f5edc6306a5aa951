"""What a body's history looks like in units."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.context.body import read_history
from llmstack.context.content import wide_chars
from llmstack.errors import BadRequest
from tests.context.histories import CHAT, MESSAGES, RESPONSES, Request, requests
from tests.dialects.recorded import RECORDED

if TYPE_CHECKING:
    from llmstack.context.history import History


def history(path: str, items: list[Any], **more: Any) -> History:
    name = "input" if path == RESPONSES else "messages"
    found = read_history(path, json.dumps({name: items, **more}).encode())
    assert found is not None
    return found


def shape(found: History) -> list[tuple[str, int, int]]:
    return [(unit.kind, unit.start, unit.end) for unit in found.units]


def tool_call(name: str, call: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}


def asks(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def tool(call: str, text: str = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call, "content": text}


@given(requests())
def test_units_cover_every_item_once_and_in_order(request: Request) -> None:
    found = read_history(request.path, request.wire)
    assert found is not None
    ends = [unit.end for unit in found.units]
    assert [unit.start for unit in found.units] == [0, *ends[:-1]]
    assert ends[-1] == len(request.items)
    assert not any(unit.open for unit in found.units)
    assert found.first_task is not None


@given(requests())
def test_every_result_is_found_with_its_call(request: Request) -> None:
    found = read_history(request.path, request.wire)
    assert found is not None
    results = [result for unit in found.units for result in unit.results]
    wire = json.dumps(request.value)
    assert len(results) == wire.count('"tool_result"') + wire.count('"role": "tool"') + wire.count(
        '"function_call_output"'
    )
    for result in results:
        assert result.tool.lower() == "read"
        assert result.about.lower().startswith("read /src/")


def test_parallel_calls_and_their_results_are_one_round() -> None:
    """V3: a round goes as a whole, whichever results are the same."""
    found = history(
        CHAT,
        [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "do"},
            asks(tool_call("ls", "a"), tool_call("ls", "b")),
            tool("b"),
            tool("a"),
            asks(tool_call("ls", "a")),  # some clients count calls anew in each turn
            tool("a"),
            {"role": "user", "content": "next"},
        ],
    )
    assert shape(found) == [
        ("system", 0, 1),
        ("user", 1, 2),
        ("round", 2, 5),
        ("round", 5, 7),
        ("user", 7, 8),
    ]
    assert [result.item for result in found.units[2].results] == [3, 4]
    assert (found.first_task, found.last_user) == (1, 4)


def test_a_call_without_a_result_is_open_and_a_lone_result_is_other() -> None:
    found = history(
        CHAT, [tool("x"), {"role": "user", "content": "hi"}, asks(tool_call("ls", "a"))]
    )
    assert shape(found) == [("other", 0, 1), ("user", 1, 2), ("round", 2, 3)]
    assert found.units[0].results == ()
    assert found.units[2].open


def test_results_of_old_functions_and_without_ids_belong_to_the_turn_before_them() -> None:
    found = history(
        CHAT,
        [
            {
                "role": "assistant",
                "content": None,
                "function_call": {"name": "ls", "arguments": ""},
            },
            {"role": "function", "name": "ls", "content": "a.py"},
            asks(tool_call("cat", "1"), tool_call("tac", "2")),
            {"role": "tool", "content": "one"},
            {"role": "tool", "content": "two"},
        ],
    )
    assert shape(found) == [("round", 0, 2), ("round", 2, 5)]
    assert [result.tool for unit in found.units for result in unit.results] == ["ls", "cat", "tac"]
    assert not any(unit.open for unit in found.units)


def test_what_stands_between_a_call_and_its_late_result_goes_with_them() -> None:
    found = history(
        CHAT,
        [asks(tool_call("ls", "a")), {"role": "user", "content": "wait"}, tool("a")],
    )
    assert shape(found) == [("round", 0, 3)]
    assert found.last_user == 0


def test_a_users_words_after_results_are_in_the_round_and_count_as_the_users() -> None:
    failed = {"type": "tool_result", "tool_use_id": "t", "content": "a", "is_error": True}

    def with_text(text: str) -> History:
        return history(
            MESSAGES,
            [
                {"role": "user", "content": "task"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        failed,
                        {"type": "text", "text": text},
                    ],
                },
            ],
            system=[{"type": "text", "text": "front"}],
        )

    found = with_text("no, stop")
    assert shape(found) == [("user", 0, 1), ("round", 1, 3)]
    assert found.last_user == 1
    (result,) = found.units[1].results
    assert (result.item, result.block, result.about, result.error) == (2, 0, "Bash ls", True)
    assert with_text("<system-reminder>x</system-reminder>").last_user == 0
    assert found.front_chars == len("front")


def test_one_turn_of_the_responses_api_is_one_unit() -> None:
    found = history(
        RESPONSES,
        [
            "plain words",
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": "let me look"},
            {"type": "function_call", "call_id": "a", "name": "read", "arguments": '{"path":"x"}'},
            {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "*** Begin"},
            {"type": "function_call_output", "call_id": "a", "output": "text"},
            {"type": "custom_tool_call_output", "call_id": "b", "output": "done"},
            {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls", "-l"]}},
            {"type": "local_shell_call_output", "id": "c", "output": "files"},
            {"type": "reasoning", "summary": []},
            {"role": "assistant", "content": "done"},
            {"type": "item_reference", "id": "z"},
        ],
        instructions="front",
    )
    assert shape(found) == [
        ("user", 0, 1),
        ("round", 1, 7),
        ("round", 7, 9),
        ("assistant", 9, 11),
        ("other", 11, 12),
    ]
    abouts = [result.about for unit in found.units for result in unit.results]
    assert abouts == ["read x", "patch *** Begin", "local_shell ls -l"]


def test_new_kinds_of_calls_and_approvals_stay_with_their_answers() -> None:
    found = history(
        RESPONSES,
        [
            {"type": "tool_search_call", "call_id": "a", "arguments": {"query": "x"}},
            {"type": "tool_search_output", "call_id": "a", "tools": []},
            {"type": "mcp_approval_request", "id": "m", "name": "drop"},
            {"type": "mcp_approval_response", "approval_request_id": "m", "approve": True},
            {"type": "web_search_call", "id": "w", "action": {"query": "x"}},
        ],
    )
    assert shape(found) == [("round", 0, 2), ("round", 2, 4), ("assistant", 4, 5)]
    assert not any(unit.open or unit.results for unit in found.units)


@pytest.mark.parametrize(
    "words",
    [
        "<system-reminder>\nx\n</system-reminder>",
        "<environment_context>\n<cwd>/x</cwd>\n</environment_context>",
        "# AGENTS.md instructions for /x\n\n<INSTRUCTIONS>\nbe kind\n</INSTRUCTIONS>",
        "<env>\nPlatform: linux\n</env>",
        "[llmstack: 12 earlier messages are left out]",
    ],
)
def test_a_harness_message_is_no_task(words: str) -> None:
    found = history(
        CHAT,
        [
            {"role": "user", "content": words},
            {"role": "user", "content": f"{words}\nfix it"},
            {"role": "user", "content": [{"type": "text", "text": words}]},
        ],
    )
    assert (found.first_task, found.last_user) == (1, 1)


def test_a_picture_alone_is_the_users_turn_and_is_counted() -> None:
    """V5: a picture has no text, and gets none."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    found = history(CHAT, [{"role": "user", "content": [picture]}])
    assert found.first_task == 0
    assert (found.units[0].images, found.units[0].text_chars) == (1, 0)


def test_a_line_about_a_call_is_short_and_one_line() -> None:
    arguments = json.dumps({"command": "for i in 1 2\ndo\n echo\ndone " * 50})
    found = history(CHAT, [asks(tool_call("bash", "a", arguments)), tool("a")])
    (result,) = found.units[0].results
    assert result.about.startswith("bash for i in 1 2 do echo done for")
    assert len(result.about) == 120


def test_characters_outside_latin_scripts_are_wide() -> None:
    assert wide_chars("plain") == 0
    assert wide_chars("Größe \u2013 naïve… “q” ếữ") == 0
    assert wide_chars("Привет, мир") == 9
    assert wide_chars("αβ 修正 한글 🚀") == 7


EDGES = "a\u037f\u0380\u0416\u1dff\u1e00\u1eff\u1f00\u1fff\u2000\u207f\u2080\u6f22\ud800\U0001f680"


@settings(deadline=None)
@given(st.text() | st.text(alphabet=EDGES))
def test_wide_are_letters_from_greek_on_but_further_latin_and_common_punctuation(text: str) -> None:
    narrow = (*range(0x1E00, 0x1F00), *range(0x2000, 0x2080), *range(0xD800, 0xE000))
    assert wide_chars(text) == sum(ord(char) >= 0x380 and ord(char) not in narrow for char in text)


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/v1/models"])
def test_what_has_no_list_of_items_has_no_history(path: str) -> None:
    assert read_history(path, b'{"prompt":"x","messages":[]}') is None
    assert read_history(RESPONSES, b'{"input":"words"}') is None
    assert read_history(CHAT, b"{}") is None
    assert history(CHAT, []).units == ()


def test_what_is_no_json_object_is_refused() -> None:
    for body in (b"", b"[]", b"{", b'"x"', b'{"messages": [' * 5000):
        with pytest.raises(BadRequest):
            read_history(CHAT, body)


def test_output_limits_are_read_as_routing_reads_them() -> None:
    assert history(CHAT, [], max_tokens=5, max_completion_tokens=7).max_output == 7
    assert history(CHAT, [], max_tokens=-1).max_output is None
    assert history(RESPONSES, [], max_output_tokens=9).max_output == 9


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_recorded_requests_have_a_task_and_no_open_calls(recorded: Any) -> None:
    found = read_history(recorded.path, recorded.wire)
    assert found is not None
    assert found.first_task is not None
    assert {unit.kind for unit in found.units} <= {"system", "user", "assistant", "round"}
    assert not any(unit.open for unit in found.units)
    if recorded.tool_tokens:
        # About four characters a token: what is counted is what a tokenizer saw.
        assert 3 < found.tools_chars / recorded.tool_tokens < 5
