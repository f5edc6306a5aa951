"""What goes wrong at Bedrock: a status before the first word, an error event after it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llmstack.errors import BackendFailed, BadRequest
from tests.backends.bedrock_home import (
    CHAT,
    COMPLETIONS,
    MESSAGES,
    RESPONSES,
    ask,
    home,
    read,
)
from tests.backends.bedrock_server import (
    HELLO,
    START,
    Cut,
    Refusal,
    Stay,
    Stream,
    exception,
    frame,
    message,
    whole,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

REFUSALS = [
    (Refusal(400, "ValidationException", "messages.0 is wrong"), 400, False),
    (Refusal(400, "ValidationException", "Input is too long for requested model."), 400, False),
    (Refusal(400, "ValidationException", "The provided model identifier is invalid."), 404, False),
    (Refusal(403, "AccessDeniedException", "You don't have access to the model"), 403, False),
    (Refusal(403, "ExpiredTokenException", "The security token is expired"), 403, True),
    (Refusal(404, "ResourceNotFoundException", "no such model"), 404, False),
    (Refusal(429, "ThrottlingException:http://internal.amazon.com/coral/", "slowly"), 429, True),
    (Refusal(429, "ModelNotReadyException", "loading"), 503, True),
    (Refusal(408, "ModelTimeoutException", "slow"), 504, True),
    (Refusal(424, "ModelErrorException", "the model failed"), 502, True),
    (Refusal(500, "InternalServerException", "sorry"), 502, True),
    (Refusal(503, "ServiceUnavailableException", "later"), 503, True),
    (Refusal(418, "TeapotException", "short and stout"), 400, False),
    (Refusal(599, "", "odd"), 502, True),
]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_an_error_with_its_status(stream: bool) -> None:
    async with home() as here:
        for refusal, status, elsewhere in REFUSALS:
            here.server.answers(refusal)
            tier = here.tier(model=f"{refusal.status} {refusal.code}")  # no breaker in common
            with pytest.raises(BackendFailed) as failure:
                await tier.open(ask(stream=stream))
            error = failure.value
            assert (error.status, error.elsewhere) == (status, elsewhere), refusal
            assert refusal.said in str(error)
            assert (error.retry_after is not None) == (status in (429, 503)), refusal


async def test_how_long_to_wait_is_passed_on() -> None:
    async with home() as here:
        here.server.answers(
            Refusal(429, "ThrottlingException", headers=(b"Retry-After: 17",)),
        )
        with pytest.raises(BackendFailed) as failure:
            await here.tier().open(ask())
        assert failure.value.retry_after == 17


@pytest.mark.parametrize("stream", [True, False])
async def test_a_throttle_is_tried_again_before_the_first_byte(stream: bool) -> None:
    async with home() as here:
        throttle = Refusal(429, "ThrottlingException", headers=(b"x-amz-retry-after: 1",))
        here.server.answers(throttle, Stream() if stream else whole())
        assert b"Hello" in await read(await here.tier(retries=1).open(ask(stream=stream)))
        assert len(here.server.calls) == 2


async def test_attempts_are_counted() -> None:
    async with home() as here:
        here.server.answers(Refusal(503, "ServiceUnavailableException"))
        with pytest.raises(BackendFailed):
            await here.tier(retries=1).open(ask(stream=True))
        assert len(here.server.calls) == 2


async def test_what_failed_after_its_head_is_not_tried_again() -> None:
    async with home() as here:
        here.server.answers(Stream((START, exception("throttlingException", "slowly"))))
        with pytest.raises(BackendFailed) as failure:
            await here.tier(retries=3).open(ask(stream=True))
        assert failure.value.status == 429
        assert len(here.server.calls) == 1


EXCEPTIONS = [
    ("throttlingException", 429),
    ("modelStreamErrorException", 502),
    ("internalServerException", 502),
    ("validationException", 400),
    ("serviceUnavailableException", 503),
]
UNMODELLED = message(
    {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "stumbled"}, b""
)


async def test_an_exception_before_the_first_word_is_a_status() -> None:
    async with home() as here:
        for kind, status in EXCEPTIONS:
            tier = here.tier(model=kind)  # no breaker in common
            here.server.answers(Stream((START, exception(kind, "stumbled"))))
            with pytest.raises(BackendFailed, match="stumbled") as failure:
                await tier.open(ask(stream=True))
            assert failure.value.status == status, kind


async def test_an_error_that_the_service_has_no_exception_for_is_one() -> None:
    async with home() as here:
        here.server.answers(Stream((START, UNMODELLED)))
        with pytest.raises(BackendFailed, match="stumbled") as failure:
            await here.tier().open(ask(stream=True))
        assert failure.value.status == 502


def _events(body: bytes) -> list[Any]:
    lines = [line[6:] for line in body.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def _assert_ends_in_error(path: str, body: bytes, said: str) -> None:
    events = _events(body)
    assert said in json.dumps(events[-1])
    if path == MESSAGES:
        assert events[-1]["type"] == "error"
    elif path == RESPONSES:
        assert events[-1]["type"] == "response.failed"
    else:
        assert "error" in events[-1]
        assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, MESSAGES, RESPONSES])
async def test_an_exception_within_the_answer_is_an_error_event_and_an_end(path: str) -> None:
    async with home() as here:
        tier = here.tier()
        for kind, _ in EXCEPTIONS:
            here.server.answers(Stream((*HELLO[:2], exception(kind, "stumbled"))))
            answer = await tier.open(ask(path, stream=True))
            body = await read(answer)
            assert b"Hello" in body
            _assert_ends_in_error(path, body, "stumbled")
            assert "stumbled" in answer.problem


BROKEN = {
    "cut in a frame": (Cut(),),
    "ended too early": (),
    "ended within a frame": (HELLO[2][:20],),
    "wrong checksum": (HELLO[2][:-1] + bytes([HELLO[2][-1] ^ 1]),),
    "no frame at all": (b"<html>" * 20,),
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN)
async def test_an_answer_that_breaks_off_says_so(steps: tuple[Any, ...]) -> None:
    async with home() as here:
        tier = here.tier()
        for path in (CHAT, MESSAGES):
            here.server.answers(Stream((*HELLO[:2], *steps)))
            answer = await tier.open(ask(path, stream=True))
            body = await read(answer)
            assert b"Hello" in body
            _assert_ends_in_error(path, body, "Bedrock: ")
            here.server.answers(Stream((START, *steps)))
            with pytest.raises(BackendFailed) as failure:
                await tier.open(ask(path, stream=True))
            assert failure.value.status == 502
            assert failure.value.elsewhere


async def test_a_cut_connection_is_told_in_our_words() -> None:
    async with home() as here:
        here.server.answers(Stream((START, Cut())))
        with pytest.raises(BackendFailed, match=r"broke off before its end\.$"):
            await here.tier().open(ask(stream=True))


async def test_a_frame_in_many_pieces_is_one() -> None:
    async with home() as here:
        pieces = [HELLO[1][at : at + 7] for at in range(0, len(HELLO[1]), 7)]
        here.server.answers(Stream((START, *pieces, *HELLO[2:])))
        assert b"Hello" in await read(await here.tier().open(ask(stream=True)))


async def test_words_come_as_they_are_sent() -> None:
    async with home() as here:
        gates = [asyncio.Event() for _ in range(3)]
        words = [
            frame("contentBlockDelta", delta={"text": f"word{at}"}, contentBlockIndex=0)
            for at in range(3)
        ]
        here.server.answers(
            Stream((START, words[0], gates[0], words[1], gates[1], words[2], *HELLO[3:]))
        )
        answer = await here.tier().open(ask(stream=True))
        for at in range(2):
            piece = await answer.read()
            assert b"word%d" % at in piece
            assert b"word%d" % (at + 1) not in piece
            gates[at].set()
        assert b"word2" in await read(answer)


@pytest.mark.parametrize(
    "reply", [Stay(), Stream((Stay(),)), Stream((START, Stay()))], ids=["head", "frame", "word"]
)
async def test_no_answer_in_time_is_504_and_ends_the_call(reply: Any) -> None:
    async with home() as here:
        here.server.answers(reply)
        with pytest.raises(BackendFailed, match="in time") as failure:
            await here.tier(first_byte_timeout=0.05).open(ask(stream=True))
        assert failure.value.status == 504
        assert failure.value.elsewhere


async def test_silence_within_an_answer_ends_it() -> None:
    async with home() as here:
        here.server.answers(Stream((*HELLO[:2], Stay())))
        answer = await here.tier(idle_timeout=0.05).open(ask(stream=True))
        body = await read(answer)
        _assert_ends_in_error(CHAT, body, "nothing came for 0.05 seconds")
        assert "idle_timeout" in body.decode()


async def test_no_limit_of_silence_is_kept_while_the_client_does_not_read() -> None:
    async with home() as here:
        answer = await here.tier(idle_timeout=0.05).open(ask(stream=True))
        await asyncio.sleep(0.1)
        body = await read(answer)
        assert b"error" not in body
        assert body.endswith(b"data: [DONE]\n\n")


async def test_nobody_there_is_502_and_may_be_asked_elsewhere() -> None:
    async with home() as here:
        with pytest.raises(BackendFailed, match="Could not connect") as failure:
            await here.tier(endpoint_url="http://127.0.0.1:9").open(ask())
        assert (failure.value.status, failure.value.elsewhere) == (502, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": 3},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    ],
)
async def test_what_converse_cannot_take_is_never_sent(wrong: Any) -> None:
    async with home() as here:
        with pytest.raises(BadRequest):
            await here.tier().open(ask(**wrong))
        assert not here.server.calls


async def test_what_is_no_conversation_is_refused() -> None:
    async with home() as here:
        with pytest.raises(BadRequest, match="/v1/embeddings"):
            await here.tier().open(ask("/v1/embeddings", input="x"))


async def test_after_failures_in_a_row_it_is_left_alone_for_a_while() -> None:
    async with home() as here:
        tier = here.tier()
        here.server.answers(Refusal(503, "ServiceUnavailableException", "later"))
        for _ in range(5):
            with pytest.raises(BackendFailed, match="later"):
                await tier.open(ask(stream=True))
        health = tier.health()
        assert (health.state, health.usable) == ("down", False)
        assert "later" in health.why
        with pytest.raises(BackendFailed, match="not asked for now") as failure:
            await tier.open(ask(stream=True))
        assert (failure.value.status, failure.value.elsewhere) == (503, True)
        assert len(here.server.calls) == 5
        # Another model of the account is another matter; after a rest a probe is let through.
        here.server.answers(Stream())
        await read(await here.tier(model="amazon.nova-pro-v1:0").open(ask(stream=True)))
        here.now += health.retry_in + 1
        await read(await tier.open(ask(stream=True)))
        assert tier.health().state == "ok"


async def test_a_throttle_or_a_wrong_request_says_nothing_against_the_upstream() -> None:
    async with home() as here:
        tier = here.tier()
        for refusal in [
            Refusal(429, "ThrottlingException"),
            Refusal(400, "ValidationException"),
        ]:
            here.server.answers(refusal)
            for _ in range(6):
                with pytest.raises(BackendFailed, match="No"):
                    await tier.open(ask(stream=True))
        assert tier.health().usable
        assert len(here.server.calls) == 12
