"""What an upstream speaks passes as it comes; what it gets is ours to say."""

from __future__ import annotations

import asyncio
import json

import pytest

from llmstack.config.stack import Sampler
from llmstack.dialects.translation.reply import Usage
from llmstack.errors import BadRequest
from tests.backends.open_house import CHAT, ask, backend, events, open_house, whole
from tests.backends.upstream_server import USAGE, WORDS, Fault, UpstreamServer, serving

pytestmark = pytest.mark.anyio

TOLD = Usage(input=11, output=5, cached=3, reasoning=2)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_an_address_is_good_with_and_without_its_version(suffix: str) -> None:
    async with serving(UpstreamServer(prefix="/api")) as server, open_house() as house:
        answer = await backend(house, server.url + suffix).open(ask(target=f"{CHAT}?a=%20b"))
        assert answer.status == 200
        assert json.loads(await whole(answer))["usage"] == USAGE
        assert server.last.target == f"/api{CHAT}?a=%20b"


async def test_the_upstream_gets_its_name_of_the_model_and_every_other_byte_of_the_client() -> None:
    body = b'{ "messages":[{"role":"user","content":"\\u00e9 \xc3\xa9"}],"x":1.50,"model":"coder" }'
    async with serving() as server, open_house() as house:
        await whole(await backend(house, server.url).open(ask(body=body)))
        assert server.last.body == body.replace(b'"coder"', b'"up/model"')


async def test_the_clients_keys_cookies_and_whereabouts_stay_here() -> None:
    secret = b"client-secret"
    names = (b"authorization", b"x-api-key", b"api-key", b"cookie", b"proxy-authorization")
    more = (b"x-forwarded-for", b"x-real-ip", b"forwarded", b"host", b"accept-encoding")
    gates = (b"x-auth-token", b"x-amz-security-token", b"cf-access-jwt-assertion", b"x-auth")
    keys = (b"anthropic-api-key", b"ocp-apim-subscription-key", b"x-csrf-token", b"x-password")
    pages = (b"origin", b"referer", b"sec-fetch-site", b"sec-ch-ua")
    told = [(name, secret) for name in (*names, *more, *gates, *keys, *pages)]
    passing = (b"x-trace", b"idempotency-key", b"x-session-id", b"openai-organization")
    told += [(name, b"7") for name in passing]
    async with serving() as server, open_house(environ={"KEY": "ours"}) as house:
        tier = backend(house, server.url, api_key_env="KEY")
        await whole(await tier.open(ask(headers=told)))
        assert not [value for _, value in server.last.headers if secret.decode() in value]
        assert server.last.all("authorization") == ["Bearer ours"]
        assert server.last.all("accept-encoding") == ["identity"]
        assert server.last.all("host") == [f"127.0.0.1:{server.port}"]
        assert all(server.last.all(name.decode()) == ["7"] for name in passing)


async def test_headers_of_the_section_win_and_may_come_from_the_environment() -> None:
    headers = (("HTTP-Referer", "https://example.org"), ("X-Secret", "$SECRET"), ("X-Trace", "8"))
    async with serving() as server, open_house(environ={"SECRET": "s3"}) as house:
        tier = backend(house, server.url, headers=headers)
        await whole(await tier.open(ask(headers=[(b"x-trace", b"7")])))
        assert server.last.all("http-referer") == ["https://example.org"]
        assert server.last.all("x-secret") == ["s3"]
        assert server.last.all("x-trace") == ["8"]


async def test_the_tiers_sampling_fills_what_the_request_leaves_open() -> None:
    sampler = Sampler(temp=0.3, top_p=0.9, top_k=40, rep_pen=1.1)
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, sampler)
        await whole(await tier.open(ask(temperature=1, top_p=None, repeat_penalty=1.3)))
        told = server.last.json
        assert (told["temperature"], told["top_p"], told["top_k"]) == (1, 0.9, 40)
        assert "min_p" not in told
        assert "repetition_penalty" not in told


async def test_a_streamed_completion_is_counted_too() -> None:
    async with serving() as server, open_house() as house:
        answer = await backend(house, server.url).open(ask("/v1/completions", stream=True))
        assert all(one["choices"] for one in events(await whole(answer))[:-1])
        assert answer.usage == TOLD


async def test_a_stream_is_asked_for_its_tokens_and_the_client_does_not_see_them() -> None:
    async with serving() as server, open_house() as house:
        answer = await backend(house, server.url).open(ask(stream=True, stream_options={"x": 1}))
        told = events(await whole(answer))
        assert server.last.json["stream_options"] == {"x": 1, "include_usage": True}
        assert told[-1] == "[DONE]"
        assert all(one["choices"] for one in told[:-1])
        words = [one["choices"][0]["delta"].get("content") for one in told[:-1]]
        assert [word for word in words if word] == list(WORDS)
        assert answer.usage == TOLD
        assert answer.header(b"set-cookie") is None


async def test_a_client_that_asks_for_tokens_sees_every_byte() -> None:
    async with serving() as server, open_house() as house:
        options = {"include_usage": True}
        answer = await backend(house, server.url).open(ask(stream=True, stream_options=options))
        told = events(await whole(answer))
        assert told[-2]["usage"] == USAGE
        assert told[-2]["choices"] == []
        assert answer.usage == TOLD


async def test_an_upstream_that_refuses_to_count_is_not_asked_twice() -> None:
    async with serving(UpstreamServer(options=False)) as server, open_house() as house:
        tier = backend(house, server.url)
        for count in (2, 3):
            answer = await tier.open(ask(stream=True))
            assert events(await whole(answer))[-1] == "[DONE]"
            assert len(server.requests) == count


async def test_a_refusal_for_another_reason_passes_as_it_is() -> None:
    said = json.dumps({"error": {"message": "too long", "code": "context_length_exceeded"}})
    async with serving() as server, open_house() as house:
        server.next(Fault(400, body=said.encode()), Fault(422, body=said.encode()))
        for status, stream in ((400, True), (422, False)):
            answer = await backend(house, server.url).open(ask(stream=stream))
            assert (answer.status, await whole(answer)) == (status, said.encode())
        assert len(server.requests) == 2


@pytest.mark.parametrize("path", [CHAT, "/v1/completions", "/v1/embeddings"])
async def test_tokens_of_an_answer_in_one_piece_are_told(path: str) -> None:
    async with serving() as server, open_house() as house:
        answer = await backend(house, server.url).open(ask(path))
        await whole(answer)
        assert answer.usage == (Usage(input=2) if "embed" in path else TOLD)


async def test_the_first_chunk_leaves_before_the_second_comes() -> None:
    async with serving() as server, open_house() as house:
        pause = asyncio.Event()
        server.next(Fault(pause=pause))
        answer = await backend(house, server.url).open(ask(stream=True))
        first = events(await answer.read())
        assert first[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        pause.set()
        assert events(await whole(answer))[-1] == "[DONE]"


async def test_what_is_no_api_of_ours_passes_below_the_address() -> None:
    async with serving(UpstreamServer(prefix="/api")) as server, open_house() as house:
        tier = backend(house, server.url + "/v1")
        for path, below in (("/v1/rerank", "/api/v1/rerank"), ("/props", "/api/props")):
            answer = await tier.open(ask(path))
            assert (answer.status, server.last.target) == (404, below)
            answer.close()


@pytest.mark.parametrize("target", ["/v1/../admin", "/v1/%2e%2E/admin", "/v1/."])
async def test_a_path_that_leads_elsewhere_is_refused(target: str) -> None:
    async with serving() as server, open_house() as house:
        with pytest.raises(BadRequest):
            await backend(house, server.url).open(ask("/v1/x", target=target))
        assert not server.requests


async def test_messages_pass_where_they_are_spoken_with_both_forms_of_the_key() -> None:
    spoken = {"/v1/messages", "/v1/messages/count_tokens", "/v1/responses"}
    server = UpstreamServer(speaks={CHAT, *spoken}, key="k")
    async with serving(server), open_house(environ={"KEY": "k"}) as house:
        tier = backend(house, server.url, Sampler(temp=0.2, min_p=0.1), api_key_env="KEY")
        said = json.loads(
            await whole(await tier.open(ask("/v1/messages", target="/v1/messages?beta=true")))
        )
        assert said["content"][0]["text"] == "".join(WORDS)
        assert server.last.target == "/v1/messages?beta=true"
        assert server.last.all("x-api-key") == ["k"]
        assert server.last.all("anthropic-version")
        assert server.last.json["temperature"] == 0.2
        assert "min_p" not in server.last.json
        counted = await tier.open(ask("/v1/messages/count_tokens"))
        assert json.loads(await whole(counted)) == {"input_tokens": 42}
        response = json.loads(await whole(await tier.open(ask("/v1/responses"))))
        assert response["status"] == "completed"
        assert len(server.requests) == 3
