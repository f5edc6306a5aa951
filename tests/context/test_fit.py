"""Fitting: when it asks, what it asks, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from llmstack.context.checkpoints import Checkpoints
from llmstack.context.fit import again, drive
from llmstack.context.needs import Fitted, NeedExact, NeedSummary, Unfit
from llmstack.context.overflow import Overflow
from llmstack.context.settings import ContextSettings, Window

from .bodies import APIS, PATHS, Turn, Use, body, calls_and_results, items_of
from .driven import SUMMARY, Server, asked

TALK: list[Turn] = [("assistant", "words " * 300), ("user", "words " * 300)] * 8
LONG: list[Turn] = [("user", "task"), *TALK]
ASSISTED = ContextSettings(policy="llm_assisted", margin=0)


def reads(count: int) -> list[Turn]:
    return [("round", (Use(f"{n:04}" * 1000, path=f"f{n}.py"),)) for n in range(count)]


def chat_answer(text: str, **message: object) -> bytes:
    return msgspec.json.encode({"choices": [{"message": {"content": text, **message}}]})


@pytest.mark.parametrize(("window", "asks"), [(40_000, 0), (9_000, 1), (5_000, 2), (3_000, 2)])
def test_the_exact_count_is_asked_for_near_the_window_and_after_a_step(
    window: int, asks: int
) -> None:
    server = Server()
    server.fit(asked("chat", body("chat", LONG), window))
    assert len([need for need in server.asked if isinstance(need, NeedExact)]) == asks


def test_the_servers_count_decides_and_corrects_the_ruler() -> None:
    request = asked("chat", body("chat", LONG), 9500)
    loose = Server(0.8).fit(request)
    assert isinstance(loose, Fitted)
    assert not loose.report.applied
    assert loose.report.exact
    tight = Server(1.25).fit(request)
    assert isinstance(tight, Fitted)
    assert tight.report.applied
    assert Server(1.25).tokens(request.path, tight.body) <= 9500 - 1024


def test_without_a_count_the_estimate_is_taken_with_care() -> None:
    result = Server(counts=False).fit(asked("chat", body("chat", LONG), 8600))
    assert isinstance(result, Fitted)
    assert not result.report.exact
    assert result.report.applied  # 7,300 estimated tokens could be more than the budget of 7,576


def test_off_and_an_unknown_window_forward_the_very_bytes() -> None:
    request = body("chat", LONG)
    off = Server().fit(asked("chat", request, 100, ContextSettings(policy="off")))
    unknown = Server().fit(asked("chat", request, 0))
    for result in (off, unknown):
        assert isinstance(result, Fitted)
        assert result.body is request


def test_an_output_limit_that_does_not_fit_is_clamped_and_not_refused() -> None:
    request = body("chat", LONG, max_tokens=32_000)
    result = Server().fit(asked("chat", request, 12_000))
    assert isinstance(result, Fitted)
    assert result.report.clamped is not None
    assert not result.report.applied
    assert msgspec.json.decode(result.body)["max_tokens"] == result.report.clamped
    assert result.report.clamped + result.report.sent <= 12_000


def test_a_history_that_cannot_fit_is_refused_with_its_numbers() -> None:
    request = body("chat", [("user", "task")], system="rules " * 5000)
    result = Server().fit(asked("chat", request, 4096))
    assert isinstance(result, Unfit)
    assert result.overflow.tokens > result.overflow.room.prompt
    assert result.report.original == round(result.overflow.tokens)


@pytest.mark.parametrize("api", APIS)
def test_the_summary_is_asked_for_once_on_the_prefix_that_the_server_has(api: str) -> None:
    name = next(one for one in APIS if one == api)
    tools = [{"name": "read", "type": "function"}]
    turns = [*LONG, *reads(2)]
    request = asked(name, body(name, turns, tools=tools, stream=True), 8000, ASSISTED)
    server = Server()
    result = server.fit(request)
    assert len(server.summaries) == 1
    need = server.summaries[0]
    question = msgspec.json.decode(need.body)
    sent, client = items_of(name, need.body), items_of(name, request.body)
    assert sent[:-1] == client[: len(sent) - 1]
    assert question["tools"] == tools
    assert question["stream"] is False
    assert question["tool_choice"] in ("none", {"type": "none"})
    assert "## Files touched" in str(sent[-1])
    assert isinstance(result, Fitted)
    assert result.report.summary == "failed"
    calls, results = calls_and_results(name, need.body)
    assert calls == results


def test_a_good_summary_stands_where_the_head_was() -> None:
    server = Server(answer=chat_answer(f"<think>hm</think>\n{SUMMARY}"))
    result = server.fit(asked("chat", body("chat", LONG), 8000, ASSISTED))
    assert isinstance(result, Fitted)
    assert result.report.summary == "written"
    assert "## Files touched" in result.body.decode()
    assert "<think>" not in result.body.decode()
    assert [action.rung for action in result.report.actions] == ["summarised"]
    assert result.checkpoint
    assert result.checkpoint.summary == SUMMARY


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"{}",
        b'{"error":{"message":"no"}}',
        chat_answer(""),
        chat_answer("I will go on with the work now, as you asked me to, and read the file." * 3),
        chat_answer(SUMMARY, tool_calls=[{"id": "a"}]),
    ],
)
def test_a_summary_that_is_none_gives_way_to_a_visible_gap(answer: bytes | None) -> None:
    server = Server(answer=answer)
    result = server.fit(asked("chat", body("chat", LONG), 8000, ASSISTED))
    assert isinstance(result, Fitted)
    assert result.report.summary == "failed"
    assert len(server.summaries) == 1
    assert "[llmstack: " in result.body.decode()
    assert "removed here" in result.body.decode()


def test_a_later_summary_is_asked_for_on_what_was_sent_and_carries_the_earlier_one() -> None:
    store, server = Checkpoints(), Server(answer=chat_answer(SUMMARY))
    first = server.fit(asked("chat", body("chat", LONG), 8000, ASSISTED, store))
    assert isinstance(first, Fitted)
    assert first.checkpoint
    store.add("m", first.checkpoint)
    second = server.fit(asked("chat", body("chat", [*LONG, *TALK]), 8000, ASSISTED, store))
    assert isinstance(second, Fitted)
    assert len(server.summaries) == 2
    assert SUMMARY in items_of("chat", server.summaries[1].body)[0]["content"]
    assert second.body.decode().count("<summary>") == 1


def test_a_fork_misses_and_the_same_conversation_hits() -> None:
    store = Checkpoints()
    first = Server().fit(asked("chat", body("chat", LONG), 8000, store=store))
    assert isinstance(first, Fitted)
    assert first.checkpoint
    store.add("m", first.checkpoint)
    grown = asked("chat", body("chat", [*LONG, ("assistant", "ok")]), 8000, store=store)
    assert grown.prior == first.checkpoint
    for place in (0, 3, first.checkpoint.length - 1):
        forked: list[Turn] = [*LONG[:place], ("user", "else"), *LONG[place + 1 :]]
        assert asked("chat", body("chat", forked), 8000, store=store).prior is None
    other_end: list[Turn] = [*LONG[:-1], ("user", "another end")]
    assert asked("chat", body("chat", other_end), 8000, store=store).prior == first.checkpoint
    assert store.find("another model", grown.chain) is None


def test_a_text_that_is_now_a_list_of_one_part_is_compacted_anew() -> None:
    pasted = "look:\n" + "log line\n" * 9000
    turns = [("user", [{"type": "text", "text": pasted}])]
    parts = msgspec.json.encode({"messages": [{"role": who, "content": c} for who, c in turns]})
    store = Checkpoints()
    first = Server().fit(asked("chat", parts, 8000, store=store))
    assert isinstance(first, Fitted)
    assert first.checkpoint
    store.add("m", first.checkpoint)
    plain = msgspec.json.encode({"messages": [{"role": "user", "content": pasted}]})
    request = asked("chat", plain, 8000, store=store)
    assert request.prior
    second = Server().fit(request)
    assert isinstance(second, Fitted)
    assert second.report.sent <= 8000


def test_references_of_a_step_down_stay_in_the_prompts_after_it() -> None:
    same: Turn = ("round", (Use("same words " * 500, path="a.py"),))
    turns: list[Turn] = [("user", "task"), *reads(6), *[same] * 4]
    store = Checkpoints()
    first = Server().fit(asked("chat", body("chat", turns), 8000, store=store))
    assert isinstance(first, Fitted)
    assert first.checkpoint
    assert first.body.count(b"[llmstack: same as") == 3
    store.add("m", first.checkpoint)
    grown: list[Turn] = [*turns, ("assistant", "ok"), ("user", "on")]
    second = Server().fit(asked("chat", body("chat", grown), 8000, store=store))
    assert isinstance(second, Fitted)
    assert second.report.hit
    before, after = items_of("chat", first.body), items_of("chat", second.body)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2


def test_an_overflow_that_the_server_reports_is_learned_from_once() -> None:
    request = asked("chat", body("chat", LONG), 0)
    result = Server().fit(request)
    assert isinstance(result, Fitted)
    more = again(request, result.body, Overflow(4096, 9000))
    assert more
    assert more.window == Window(4096, "learned")
    fitted = Server(1.2).fit(more)
    assert isinstance(fitted, Fitted)
    assert Server(1.2).tokens(request.path, fitted.body) <= 4096
    assert again(more, fitted.body, Overflow(4096, 5000)) is None
    off = replace(request, settings=ContextSettings(policy="off"))
    assert again(off, result.body, Overflow(4096, 9000)) is None


def test_an_overflow_without_numbers_makes_the_window_smaller_than_what_was_sent() -> None:
    request = asked("chat", body("chat", LONG), 100_000)
    more = again(request, request.body, Overflow())
    assert more
    assert more.window.tokens < Server().tokens(request.path, request.body) + 1
    result = Server().fit(more)
    assert isinstance(result, Fitted)
    assert len(result.body) < len(request.body)


def test_a_driver_meets_needs_until_the_end() -> None:
    server = Server(answer=chat_answer(SUMMARY))

    async def meet(need: NeedExact | NeedSummary) -> int | bytes | None:
        if isinstance(need, NeedExact):
            return round(server.tokens(PATHS["chat"], need.body))
        return server.answer

    result = asyncio.run(drive(asked("chat", body("chat", LONG), 8000, ASSISTED), meet))
    assert isinstance(result, Fitted)
    assert result.report.summary == "written"


def test_where_much_is_kept_for_the_answer_the_count_is_asked_for_in_time() -> None:
    """A quarter of the window for the answer leaves less than 70 % for the prompt."""
    server = Server(1.2)
    window = 10_400  # the ruler's 7,279 tokens are below 70 % of it
    request = asked("chat", body("chat", LONG, max_tokens=32_000), window)
    result = server.fit(request)
    assert isinstance(result, Fitted)
    assert result.report.exact or result.report.applied
    assert server.tokens(PATHS["chat"], result.body) <= window * 3 // 4


def test_two_turns_of_users_never_meet_where_an_answer_stood() -> None:
    """Many templates refuse that; calls between them do not count."""
    long = "words " * 300
    turns: list[Turn] = [("user", "task"), ("assistant", long), ("user", long)]
    turns += [("assistant", long), ("user", "continue")]
    result = Server().fit(asked("chat", body("chat", turns), 800))
    assert isinstance(result, Fitted)
    roles = [item["role"] for item in items_of("chat", result.body)]
    assert roles == ["user", "assistant", "user"]
