"""Whatever a conversation holds, Converse gets messages that it accepts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from llmstack.dialects.translation.conversation import (
    CacheMark,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
)
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.converse_json import read_arguments
from llmstack.dialects.translation.converse_turns import OPENING, UNANSWERED
from llmstack.dialects.translation.converse_undelivered import undelivered
from llmstack.errors import BadRequest

from .conversations import PNG, conversations, models

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"


def user(*blocks: Any) -> Turn:
    return Turn("user", tuple(Text(each) if isinstance(each, str) else each for each in blocks))


def model(*blocks: Any) -> Turn:
    return Turn("assistant", user(*blocks).blocks)


def result(call: str, *blocks: Any, error: bool = False) -> ToolResult:
    return ToolResult(call, user(*blocks).blocks, error)


def messages(*turns: Turn, model_id: str = CLAUDE, **members: Any) -> list[Any]:
    said = Conversation("m", turns, **members)
    written: list[Any] = write_converse(said, model_id, Sampling())["messages"]
    return written


def contents(*turns: Turn, model_id: str = CLAUDE) -> list[Any]:
    return [message["content"] for message in messages(*turns, model_id=model_id)]


@given(conversations, models)
@settings(max_examples=150, deadline=None)
def test_every_conversation_becomes_messages_that_converse_accepts(
    conversation: Conversation, model_id: str
) -> None:
    """§4.1: no guard for a leading assistant, empty lists, blank text and orphans."""
    try:
        body = write_converse(conversation, model_id, Sampling())
    except BadRequest as error:
        body, refused = {}, error.what
    else:
        refused = ""
    if refused:
        assert "no words" in refused
        return
    assert all(undelivered(conversation, body))
    written = body["messages"]
    roles = [message["role"] for message in written]
    assert roles == [("user", "assistant")[at % 2] for at in range(len(roles))]
    seen: set[str] = set()
    open_calls: list[str] = []
    for message in written:
        assert message["content"]
        answered = []
        for at, block in enumerate(message["content"]):
            assert len(block) == 1
            assert "text" not in block or block["text"].strip()
            if at == 0:
                assert "cachePoint" not in block
            if "toolResult" in block:
                answered.append(block["toolResult"]["toolUseId"])
                before = message["content"][:at]
                assert all("toolResult" in each or "cachePoint" in each for each in before)
                assert block["toolResult"]["content"]
        assert sorted(answered) == sorted(open_calls)
        open_calls = [
            block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block
        ]
        assert seen.isdisjoint(open_calls)
        assert len(set(open_calls)) == len(open_calls)
        seen.update(open_calls)
        assert message["role"] == "assistant" or not open_calls
    assert not open_calls
    if "toolUse" in {kind for each in written for block in each["content"] for kind in block}:
        assert body.get("toolConfig") or model_id.startswith("arn:aws:bedrock:us-east-1")


def test_runs_of_one_role_are_one_message_and_blank_ones_are_none() -> None:
    assert messages(user("a"), user(" \n"), model(""), user("b"), model("c"), user("d")) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "d"}]},
    ]


def test_a_user_speaks_first() -> None:
    """§4.1: a conversation that started with the assistant was sent as it was."""
    assert contents(model("hello"), user("hi"))[0] == [{"text": OPENING}]
    only_system = messages(system=(Text("Greet."),))
    assert only_system == [{"role": "user", "content": [{"text": OPENING}]}]


def test_a_conversation_without_words_is_refused() -> None:
    """§4.1: an empty message list was sent as it was (a list prompt gave one)."""
    with pytest.raises(BadRequest, match="no words"):
        messages(user(" "), model(""))


def test_an_unanswered_call_gets_an_error_as_its_result() -> None:
    assert contents(user("a"), model(ToolUse("c1", "read", "{}")), user("never mind"))[2] == [
        {
            "toolResult": {
                "toolUseId": "c1",
                "content": [{"text": UNANSWERED}],
                "status": "error",
            }
        },
        {"text": "never mind"},
    ]
    assert len(contents(user("a"), model(ToolUse("c1", "read", "{}")))) == 3


def test_a_result_without_its_call_is_told_in_words() -> None:
    """§4.1: no guard for an orphan toolResult without toolUse."""
    assert contents(user(result("gone", "42"), "so?")) == [
        [{"text": "[Result of tool call gone]"}, {"text": "42"}, {"text": "so?"}]
    ]


def test_results_come_before_what_the_user_says_and_ids_that_repeat_are_told_apart() -> None:
    turns = [
        user("a"),
        model(ToolUse("call_0", "read", "{}")),
        user("wait", result("call_0", "one")),
        model(ToolUse("call_0", "read", "{}")),
        user(result("call_0", "two")),
    ]
    written = contents(*turns)
    first, second = written[1][0]["toolUse"], written[3][0]["toolUse"]
    assert first["toolUseId"] != second["toolUseId"]
    assert written[2][0]["toolResult"]["toolUseId"] == first["toolUseId"]
    assert written[4][0]["toolResult"]["toolUseId"] == second["toolUseId"]


def test_models_that_take_no_status_are_told_in_words_that_a_tool_failed() -> None:
    """The field "is only supported by Amazon Nova and Anthropic Claude" (ToolResultBlock)."""
    turns = user("a"), model(ToolUse("c", "read", "{}")), user(result("c", "no", error=True))
    told = contents(*turns, model_id=LLAMA)[2]
    failed = [{"text": "The tool failed:"}, {"text": "no"}]
    assert told == [{"toolResult": {"toolUseId": "c", "content": failed}}]
    unanswered = contents(*turns[:2], model_id=LLAMA)[2]
    stub = {"toolUseId": "c", "content": [{"text": UNANSWERED}]}
    assert unanswered == [{"toolResult": stub}]


def test_a_result_keeps_its_words_and_pictures_and_is_never_blank() -> None:
    """§4.1: one text block; empty text was kept as ""."""

    def written(*blocks: Any, error: bool = False) -> Any:
        call = model(ToolUse("c", "read", "{}"))
        return contents(user("a"), call, user(result("c", *blocks, error=error)))[2][0][
            "toolResult"
        ]

    assert written("") == {"toolUseId": "c", "content": [{"text": "(no output)"}]}
    assert written("no", error=True)["status"] == "error"
    assert written("see", Image("image/png", PNG))["content"] == [
        {"text": "see"},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
    ]
    assert written('{"a":[1,2]}')["content"] == [{"json": {"a": [1, 2]}}]
    spaced = '{\n  "a": 1\n}'
    assert written(spaced)["content"] == [{"text": spaced}]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("{oops", {"_raw": "{oops"}),
        ("[1]", {"value": [1]}),
        ("null", {"value": None}),
        ("[" * 9000, {"_raw": "[" * 9000}),
        ("[" * 300 + "]" * 300, {"_raw": "[" * 300 + "]" * 300}),
    ],
)
def test_arguments_are_always_an_object(text: str, arguments: Any) -> None:
    assert read_arguments(text) == arguments


def test_thoughts_go_back_to_claude_only_and_only_with_their_seal() -> None:
    """§4.1: reasoning blocks were dropped."""
    said = model(Thinking("hm", signature="sig"), Thinking(redacted="cmVk"), Thinking("?"), "yes")
    assert contents(user("a"), said, user("b"))[1] == [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
        {"reasoningContent": {"redactedContent": b"red"}},
        {"text": "yes"},
    ]
    assert contents(user("a"), said, user("b"), model_id=LLAMA)[1] == [{"text": "yes"}]
    alone = model(Thinking("hm", signature="sig"))
    assert contents(user("a"), alone, user("b")) == [[{"text": "a"}, {"text": "b"}]]


def test_cache_points_follow_what_is_marked_where_the_family_has_them() -> None:
    marked = user(Text("long", CacheMark("1h")), "short")
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert contents(marked) == [[{"text": "long"}, point, {"text": "short"}]]
    assert contents(marked, model_id=LLAMA) == [[{"text": "long"}, {"text": "short"}]]
    assert contents(marked, model_id="amazon.nova-pro-v1:0")[0][1] == {
        "cachePoint": {"type": "default"}
    }


def test_at_most_four_cache_points_are_sent_and_the_last_ones_stay() -> None:
    mark = CacheMark()
    said = Conversation(
        "m",
        (user(*(Text(str(at), mark) for at in range(4))),),
        system=(Text("s", mark),),
        tools=(Tool("t", cache=mark),),
    )
    body = write_converse(said, CLAUDE, Sampling())
    assert body["system"] == [{"text": "s"}]
    assert len(body["toolConfig"]["tools"]) == 1
    assert len(body["messages"][0]["content"]) == 8


def test_words_stand_beside_a_document_and_names_are_clean_and_unique() -> None:
    report = Document("application/pdf", b"%PDF-", name="my_report.v2.pdf")
    content = contents(user(report, report))[0]
    assert [block["document"]["name"] for block in content[:2]] == [
        "my-report-v2",
        "my-report-v2 (2)",
    ]
    assert content[2]["text"]


@pytest.mark.parametrize(
    ("image", "form"),
    [
        (Image("image/jpg", b"..."), "jpeg"),
        (Image("image/png", b"\xff\xd8\xff\xe0"), "jpeg"),
        (Image("", b"RIFF....WEBPVP8 "), "webp"),
        (Image("", b"GIF89a"), "gif"),
    ],
)
def test_pictures_are_sent_in_the_format_that_their_bytes_have(image: Image, form: str) -> None:
    """§4.1: images and other parts were dropped silently."""
    assert contents(user(image)) == [[{"image": {"format": form, "source": {"bytes": image.data}}}]]


@pytest.mark.parametrize(
    "block",
    [
        Image(url="https://example.org/a.png"),
        Image("image/bmp", b"BM"),
        Image("image/png"),
        Document("application/zip", b"PK"),
        Document("application/pdf", url="https://example.org/a.pdf"),
    ],
)
def test_media_that_bedrock_cannot_take_are_refused_with_a_remedy(block: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        messages(user("see", block))
    assert refused.value.fix.startswith("Send")


def test_the_beginning_of_an_answer_ends_in_no_space() -> None:
    assert contents(user("a"), model("It is \n"))[1] == [{"text": "It is"}]
