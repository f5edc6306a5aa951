"""Exact counts: whoever would answer is asked, once, and never for longer than two seconds."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from llmstack.http1 import Pool
from llmstack.server import counting
from llmstack.server.counting import Counting
from tests.server.counted import Process, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstack.backends.protocol import Ask, Backend
    from llmstack.server.lives import Lives
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [{"x": 1e0}]}'
MESSAGES = (
    b'{"model": "m", "max_tokens": 9, "system": "Be kind.",'
    b' "messages": [{"role": "user", "content": "hi"}]}'
)


@pytest.fixture
async def one() -> AsyncIterator[Process]:
    async with process() as made:
        yield made


@pytest.fixture
async def counting_one(one: Process) -> AsyncIterator[Counting]:
    pool = Pool()
    yield Counting(cast("Lives", one), pool)
    pool.close()


@pytest.mark.parametrize(
    ("path", "counter"),
    [
        (CHAT, f"{CHAT}/input_tokens"),
        ("/v1/responses", "/v1/responses/input_tokens"),
        ("/v1/messages", "/v1/messages/count_tokens"),
        ("/v1/messages/count_tokens", "/v1/messages/count_tokens"),
    ],
)
async def test_each_api_has_a_counter_and_gets_the_body_as_it_is(
    one: Process, counting_one: Counting, path: str, counter: str
) -> None:
    one.answers[counter] = (200, {"input_tokens": 42})
    assert await counting_one.local(one.model, path, BODY) == 42
    assert one.asked[0].body == BODY


async def test_what_was_counted_is_not_asked_again(one: Process, counting_one: Counting) -> None:
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    for _ in range(3):
        assert await counting_one.local(one.model, CHAT, BODY) == 42
    assert len(one.asked) == 1
    await counting_one.local(one.model, CHAT, BODY + b" ")
    assert len(one.asked) == 2


async def test_another_life_of_the_process_counts_for_itself(
    one: Process, counting_one: Counting
) -> None:
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    await counting_one.local(one.model, CHAT, BODY)
    one.life = 2
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 43})
    assert await counting_one.local(one.model, CHAT, BODY) == 43


async def test_counts_that_are_remembered_are_bounded(
    one: Process, counting_one: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST", 2)
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    for number in (1, 2, 1, 3, 1, 2):
        await counting_one.local(one.model, CHAT, BODY + b" " * number)
    assert len(one.asked) == 4, "the one used least lately went first"


async def test_a_model_that_is_not_ready_is_not_asked(one: Process, counting_one: Counting) -> None:
    one.life = None
    assert await counting_one.local(one.model, CHAT, BODY) is None
    assert not one.asked


async def test_an_older_server_applies_its_template_and_tokenizes(
    one: Process, counting_one: Counting
) -> None:
    one.answers["/apply-template"] = (200, {"prompt": "<s>hi"})
    one.answers["/tokenize"] = (200, {"tokens": [1, 2, 3]})
    assert await counting_one.local(one.model, CHAT, BODY) == 3
    assert one.asked[1].body == BODY, "tools and all"
    said = json.loads(one.asked[2].body)
    assert said == {"content": "<s>hi", "add_special": True, "parse_special": True}
    await counting_one.local(one.model, CHAT, BODY + b" ")
    assert one.paths[3:] == ["/apply-template", "/tokenize"], "what is not there is remembered"


async def test_an_older_server_gets_other_apis_as_chat_completions(
    one: Process, counting_one: Counting
) -> None:
    one.answers["/apply-template"] = (200, {"prompt": "hi"})
    one.answers["/tokenize"] = (200, {"tokens": [1, 2]})
    assert await counting_one.local(one.model, "/v1/messages", MESSAGES) == 2
    said = json.loads(one.asked[1].body)["messages"]
    assert [message["role"] for message in said] == ["system", "user"]


async def test_a_server_that_counts_nothing_is_left_alone(
    one: Process, counting_one: Counting
) -> None:
    assert await counting_one.local(one.model, CHAT, BODY) is None
    asked = len(one.asked)
    assert await counting_one.local(one.model, CHAT, BODY + b" ") is None
    assert len(one.asked) == asked


async def test_a_new_life_is_asked_for_all_it_may_have_learned(
    one: Process, counting_one: Counting
) -> None:
    await counting_one.local(one.model, CHAT, BODY)
    one.life = 2
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    assert await counting_one.local(one.model, CHAT, BODY) == 42


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": {"message": "the template fails on this body"}}),
        (400, {"error": {"message": "no messages"}}),
        (200, {"input_tokens": "many"}),
        (200, {"input_tokens": True}),
        (200, [1]),
    ],
)
async def test_a_count_that_fails_is_none_and_costs_the_next_one_nothing(
    one: Process, counting_one: Counting, answer: tuple[int, Any]
) -> None:
    one.answers[f"{CHAT}/input_tokens"] = answer
    assert await counting_one.local(one.model, CHAT, BODY) is None
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    assert await counting_one.local(one.model, CHAT, BODY) == 42


async def test_the_time_is_limited(one: Process) -> None:
    never = asyncio.Event()

    async def silent(_: Peer, __: RawRequest) -> None:
        await never.wait()

    pool = Pool()
    try:
        async with one.upstream.play(silent):
            brief = Counting(cast("Lives", one), pool, limit=0.05)
            assert await brief.local(one.model, CHAT, BODY) is None
            never.set()
    finally:
        pool.close()


async def test_a_completions_prompt_is_tokenized(one: Process, counting_one: Counting) -> None:
    one.answers["/tokenize"] = (200, {"tokens": [1, 2, 3, 4]})
    body = b'{"prompt": "def add("}'
    assert await counting_one.local(one.model, "/v1/completions", body) == 4
    assert await counting_one.local(one.model, "/v1/completions", b'{"prompt": [1, 2]}') is None
    assert await counting_one.local(one.model, "/v1/completions", b"[") is None


async def test_no_other_path_is_counted(one: Process, counting_one: Counting) -> None:
    assert await counting_one.local(one.model, "/v1/embeddings", BODY) is None
    assert not one.asked


async def test_only_credentials_go_along(one: Process, counting_one: Counting) -> None:
    one.answers[f"{CHAT}/input_tokens"] = (200, {"input_tokens": 42})
    headers = [(b"authorization", b"Bearer x"), (b"cookie", b"a=b"), (b"content-length", b"9")]
    await counting_one.local(one.model, CHAT, BODY, headers)
    sent = one.asked[0]
    assert sent.all(b"authorization") == [b"Bearer x"]
    assert not sent.all(b"cookie")
    assert len(sent.all(b"content-length")) == 1


class Hosted:
    """A backend that counts."""

    def __init__(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.status = status
        self.headers = list(headers)
        self.asks: list[Ask] = []
        self.closed = 0

    async def open(self, ask: Ask) -> Hosted:
        self.asks.append(ask)
        self._body = b'{"input_tokens": 7}'
        return self

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        self.closed += 1


async def test_a_hosted_model_counts_where_that_costs_nothing(counting_one: Counting) -> None:
    hosted = Hosted()
    for _ in range(2):
        found = await counting_one.hosted(
            "cloud", "bedrock", cast("Backend", hosted), "m", CHAT, BODY
        )
        assert found == 7
    assert [ask.path for ask in hosted.asks] == [f"{CHAT}/input_tokens"]
    assert hosted.closed == 1


@pytest.mark.parametrize("kind", ["openai", "ollama", "peer"])
async def test_nobody_is_asked_who_may_load_a_model_for_it(
    counting_one: Counting, kind: str
) -> None:
    hosted = Hosted()
    assert await counting_one.hosted("x", kind, cast("Backend", hosted), "m", CHAT, BODY) is None
    assert not hosted.asks


@pytest.mark.parametrize("hosted", [Hosted((b"x-llmstack-estimated", b"true")), Hosted(status=429)])
async def test_an_estimate_is_no_count_and_is_not_asked_for_again(
    counting_one: Counting, hosted: Hosted
) -> None:
    for body in (MESSAGES, MESSAGES + b" "):
        backend = cast("Backend", hosted)
        assert await counting_one.hosted("x", "openai", backend, "m", "/v1/messages", body) is None
    assert len(hosted.asks) == 1
    assert hosted.closed == 1
