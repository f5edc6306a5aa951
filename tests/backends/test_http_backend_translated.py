"""APIs that an upstream does not speak are translated, and that is remembered for an hour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmstack.backends import chat_words
from llmstack.config.stack import Sampler
from llmstack.dialects.translation.reply import Usage
from llmstack.errors import BackendFailed
from tests.backends.open_house import CHAT, Clock, ask, backend, events, open_house, whole
from tests.backends.upstream_server import WORDS, Fault, UpstreamServer, serving

pytestmark = pytest.mark.anyio

TEXT = "".join(WORDS)
TOOL = {"name": "get_weather", "description": "d", "input_schema": {"type": "object"}}


async def test_messages_become_a_chat_and_the_answer_a_message() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, Sampler(top_k=7))
        answer = await tier.open(ask("/v1/messages", stream=True, tools=[TOOL]))
        told = events(await whole(answer))
        assert [seen.target for seen in server.requests] == ["/v1/messages", CHAT]
        assert server.last.json["model"] == "up/model"
        assert server.last.json["top_k"] == 7
        assert not server.last.all("anthropic-version")
        assert told[0]["message"]["model"] == "coder"
        deltas = [one["delta"] for one in told if one["type"] == "content_block_delta"]
        assert "".join(delta.get("text", "") for delta in deltas) == TEXT
        written = "".join(delta.get("partial_json", "") for delta in deltas)
        assert json.loads(written) == {"city": "Paris"}
        assert told[-1] == {"type": "message_stop"}
        assert answer.usage == Usage(input=11, output=5, cached=3, reasoning=2)


@pytest.mark.parametrize("stream", [False, True])
async def test_responses_become_a_chat(stream: bool) -> None:
    async with serving() as server, open_house() as house:
        answer = await backend(house, server.url).open(ask("/v1/responses", stream=stream))
        body = await whole(answer)
        response = events(body)[-1]["response"] if stream else json.loads(body)
        assert response["output"][0]["content"][0]["text"] == TEXT
        assert response["usage"]["input_tokens"] == 11


@pytest.mark.parametrize("stream", [False, True])
async def test_completions_become_a_chat_where_only_chats_are_spoken(stream: bool) -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, apis=("chat",))
        answer = await tier.open(ask("/v1/completions", stream=stream))
        body = await whole(answer)
        told: list[Any] = events(body)[:-1] if stream else [json.loads(body)]
        assert "".join(one["choices"][0]["text"] for one in told) == TEXT
        assert [seen.target for seen in server.requests] == [CHAT]


async def test_what_an_upstream_does_not_speak_is_known_for_an_hour() -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        tier = backend(house, server.url)
        for _ in range(2):
            await whole(await tier.open(ask("/v1/messages")))
        # Another tier of the same upstream knows too.
        await whole(await backend(house, server.url + "/v1").open(ask("/v1/messages")))
        assert [seen.target for seen in server.requests] == ["/v1/messages", CHAT, CHAT, CHAT]
        clock.now += 3601
        server.speaks.add("/v1/messages")
        await whole(await tier.open(ask("/v1/messages")))
        assert server.last.target == "/v1/messages"


@pytest.mark.parametrize("status", [405, 501])
async def test_other_ways_to_say_that_there_is_no_such_path(status: int) -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(status, body=b"no"))
        assert (await backend(house, server.url).open(ask("/v1/messages"))).status == 200


async def test_lm_studio_says_with_status_200_that_there_is_no_such_path() -> None:
    said = b'{"error":"Unexpected endpoint or method. (POST /v1/messages)"}'
    async with serving() as server, open_house() as house:
        server.next(Fault(200, body=said))
        answer = await backend(house, server.url).open(ask("/v1/messages"))
        assert json.loads(await whole(answer))["content"][0]["text"] == TEXT
        server.speaks.add("/v1/responses")
        server.next(Fault(200, body=b'{"short": 1}'))
        answer = await backend(house, server.url).open(ask("/v1/responses"))
        assert await whole(answer) == b'{"short": 1}'


async def test_a_model_that_is_not_there_is_no_missing_path() -> None:
    for message in ("model: up/model", "The model does not exist", "no such model"):
        said = json.dumps({"type": "error", "error": {"message": message}}).encode()
        async with serving() as server, open_house() as house:
            server.next(Fault(404, body=said))
            answer = await backend(house, server.url).open(ask("/v1/messages"))
            assert (answer.status, await whole(answer)) == (404, said)
            assert len(server.requests) == 1
            server.speaks.add("/v1/messages")
            assert (await backend(house, server.url).open(ask("/v1/messages"))).status == 200
            assert server.last.target == "/v1/messages"


async def test_nothing_is_learned_from_a_translation_that_fails() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, retries=0)
        server.next(Fault(404, body=b"no"), Fault(500, body=b"no"))
        with pytest.raises(BackendFailed) as caught:
            await tier.open(ask("/v1/messages"))
        assert caught.value.status == 500
        server.speaks.add("/v1/messages")
        await whole(await tier.open(ask("/v1/messages")))
        assert server.last.target == "/v1/messages"


@pytest.mark.parametrize("apis", [(), ("chat",), ("chat", "messages")])
async def test_tokens_are_estimated_where_nobody_counts_them(apis: tuple[str, ...]) -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, apis=apis)
        for _ in range(2):
            answer = await tier.open(ask("/v1/messages/count_tokens"))
            assert answer.header(b"x-llmstack-estimated") == b"true"
            assert json.loads(await whole(answer))["input_tokens"] > 0
        assert len(server.requests) == (0 if apis == ("chat",) else 1)


async def test_what_the_upstream_cannot_be_told_is_named() -> None:
    async with serving() as server, open_house() as house:
        result = {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": True}
        call = {"type": "tool_use", "id": "a", "name": "get_weather", "input": {}}
        messages = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
        answer = await backend(house, server.url).open(ask("/v1/messages", messages=messages))
        assert b"tool_result.error" in (answer.header(b"x-llmstack-dropped") or b"")
        answer.close()


async def test_a_refusal_of_the_translated_request_keeps_its_status_and_words() -> None:
    said = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    async with serving() as server, open_house() as house:
        server.next(Fault(400, body=said))
        with pytest.raises(BackendFailed, match="too long") as caught:
            await backend(house, server.url, apis=("chat",)).open(ask("/v1/messages"))
        error = caught.value
        assert (error.status, error.code) == (400, "context_length_exceeded")
        assert not error.elsewhere


async def test_an_upstream_that_refuses_to_count_answers_translated_requests_too() -> None:
    async with serving(UpstreamServer(options=False)) as server, open_house() as house:
        tier = backend(house, server.url, apis=("chat",))
        for count in (2, 3):
            answer = await tier.open(ask("/v1/messages", stream=True))
            assert events(await whole(answer))[-1] == {"type": "message_stop"}
            assert len(server.requests) == count


async def test_openai_itself_is_told_the_limit_by_its_newer_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat_words, "_NEWER", frozenset({"127.0.0.1"}))
    async with serving() as server, open_house() as house:
        (await backend(house, server.url).open(ask("/v1/messages"))).close()
        assert server.last.json["max_completion_tokens"] == 9
        assert "max_tokens" not in server.last.json


async def test_an_api_that_is_not_among_those_of_the_section_is_refused() -> None:
    async with serving() as server, open_house() as house:
        for apis, path in ((("chat",), "/v1/embeddings"), (("messages",), CHAT)):
            with pytest.raises(BackendFailed, match="cannot be asked") as caught:
                await backend(house, server.url, apis=apis).open(ask(path))
            assert caught.value.status == 400
        assert not server.requests


async def test_anthropics_own_api_gets_its_own_form_of_the_key_alone() -> None:
    server = UpstreamServer(speaks={"/v1/messages"}, key="k")
    async with serving(server), open_house(environ={"KEY": "k"}) as house:
        tier = backend(house, server.url, api_key_env="KEY", apis=("messages",))
        await whole(await tier.open(ask("/v1/messages")))
        assert server.last.all("x-api-key") == ["k"]
        assert not server.last.all("authorization")
