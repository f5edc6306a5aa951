"""What holds for every history, in three APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.context.body import read_history
from llmstack.context.checkpoints import Checkpoints
from llmstack.context.needs import Fitted, Unfit
from llmstack.context.room import room_of
from llmstack.context.settings import ContextSettings, Policy

from .bodies import APIS, PATHS, body, calls_and_results, conversations, items_of, total
from .driven import SUMMARY, Server, asked

if TYPE_CHECKING:
    from llmstack.context.history import Api

    from .bodies import Turn

POLICIES: list[Policy] = ["limit_only", "always", "llm_assisted"]
apis = st.sampled_from(APIS)
policies = st.sampled_from(POLICIES)
windows = st.integers(200, 6000)


def _settings(policy: Policy) -> ContextSettings:
    return ContextSettings(policy=policy, margin=0)


def _answer(api: Api) -> bytes:
    part = {"type": "output_text" if api == "responses" else "text", "text": SUMMARY}
    return msgspec.json.encode(
        {
            "chat": {"choices": [{"message": {"role": "assistant", "content": SUMMARY}}]},
            "messages": {"content": [part]},
            "responses": {"output": [{"type": "message", "content": [part]}]},
        }[api]
    )


def _text_of(api: Api, sent: bytes) -> str:
    return msgspec.json.encode(items_of(api, sent)).decode()


@settings(max_examples=150, deadline=None)
@given(apis, policies, conversations, windows, st.sampled_from([0.7, 1.0, 1.4]), st.booleans())
def test_a_request_fits_by_the_servers_count_or_is_refused_with_numbers(
    api: Api, policy: Policy, turns: list[Turn], window: int, ratio: float, summarised: bool
) -> None:
    server = Server(ratio, answer=_answer(api) if summarised else None)
    request = asked(api, body(api, turns, system="be terse"), window, _settings(policy))
    result = server.fit(request)
    history = read_history(PATHS[api], request.body)
    assert history
    room = room_of(window, None, request.settings)
    if isinstance(result, Unfit):
        assert result.overflow.tokens > room.prompt or ratio > 1
        assert result.overflow.room == room
        return
    # Far from the window an estimate is enough, so a wrong ruler shows only near it.
    near = 0.7 * window
    sent = server.tokens(PATHS[api], result.body)
    assert sent <= room.prompt or (ratio > 1 and sent / ratio < near)


@settings(max_examples=150, deadline=None)
@given(apis, policies, conversations, windows)
def test_calls_keep_their_results_and_the_first_task_and_last_user_turn_stay(
    api: Api, policy: Policy, turns: list[Turn], window: int
) -> None:
    request = asked(api, body(api, turns, system="be terse"), window, _settings(policy))
    result = Server(answer=_answer(api)).fit(request)
    if isinstance(result, Unfit):
        return
    calls, results = calls_and_results(api, result.body)
    assert sorted(calls) == sorted(results)
    history = read_history(PATHS[api], request.body)
    assert history
    assert history.first_task is not None
    assert history.last_user is not None
    sent = _text_of(api, result.body)
    users = [text for who, text in turns if who == "user" and isinstance(text, str)]
    for kept in (users[0], users[-1]):
        written = msgspec.json.encode(kept[:12]).decode()[1:-1]
        assert written in sent
    assert b"be terse" in result.body
    assert result.body.count(b'"x_top":{"b":1,"a":[1.0,2]}') == 1


@settings(max_examples=100, deadline=None)
@given(apis, policies, conversations, windows)
def test_what_was_compacted_is_left_alone_the_second_time(
    api: Api, policy: Policy, turns: list[Turn], window: int
) -> None:
    """With ``always``, which acts earlier, a body that comes back without its checkpoint may lose a
    little more, once.
    """
    first = Server().fit(asked(api, body(api, turns), window, _settings(policy)))
    if isinstance(first, Fitted):
        second = Server().fit(asked(api, first.body, window, _settings(policy)))
        assert isinstance(second, Fitted)
        if policy == "always" and second.body != first.body:
            assert len(second.body) < len(first.body)
            first, second = second, Server().fit(asked(api, second.body, window, _settings(policy)))
            assert isinstance(second, Fitted)
        assert second.body == first.body


@settings(max_examples=100, deadline=None)
@given(apis, policies, conversations, windows, st.sampled_from([None, 10, 100_000]))
def test_what_fits_is_forwarded_byte_for_byte(
    api: Api, policy: Policy, turns: list[Turn], window: int, limit: int | None
) -> None:
    members: dict[str, Any] = {} if limit is None else {"max_tokens": limit}
    request = asked(api, body(api, turns, **members), 2_000_000, _settings(policy))
    result = Server().fit(request)
    assert isinstance(result, Fitted)
    if policy != "always":
        assert result.body is request.body
        assert not result.report.applied
    assert result.report.clamped is None
    small = Server().fit(asked(api, body(api, turns, **members), window, _settings(policy)))
    if isinstance(small, Fitted) and limit == 100_000:
        assert small.report.clamped is not None
        assert 0 < small.report.clamped <= window


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=60, deadline=None)
@given(apis, conversations, st.integers(400, 3000))
def test_between_two_steps_down_the_prompt_only_grows(
    policy: Policy, api: Api, turns: list[Turn], window: int
) -> None:
    store = Checkpoints()
    server = Server(answer=_answer(api))
    before: list[object] = []
    for end in range(1, len(turns) + 1):
        request = asked(api, body(api, turns[:end]), window, _settings(policy), store)
        result = server.fit(request)
        if isinstance(result, Unfit):
            before = []
            continue
        now = items_of(api, result.body)
        if result.checkpoint:
            store.add("m", result.checkpoint)
        else:
            assert now[: len(before)] == before
        before = now
        history = read_history(PATHS[api], result.body)
        assert history
        assert total(history) <= room_of(window, None, request.settings).prompt
        store = Checkpoints.loads(store.dumps())


@settings(max_examples=40, deadline=None)
@given(apis, conversations, st.binary(max_size=40))
def test_a_store_that_cannot_be_read_is_empty(api: Api, turns: list[Turn], junk: bytes) -> None:
    assert len(Checkpoints.loads(junk)) == 0
    store = Checkpoints(limit=1)
    result = Server().fit(asked(api, body(api, turns), 400))
    if isinstance(result, Fitted) and result.checkpoint:
        store.add("m", result.checkpoint)
        assert Checkpoints.loads(store.dumps()).dumps() == store.dumps()
