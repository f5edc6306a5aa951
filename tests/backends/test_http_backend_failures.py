"""Failures: what is tried again, what is told, and when an upstream is left alone."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from llmstack.backends import caller
from llmstack.errors import BackendFailed
from llmstack.http1 import Broken
from tests.backends.open_house import CHAT, Clock, ask, backend, events, open_house, whole
from tests.backends.upstream_server import Fault, UpstreamServer, serving
from tests.http1.conftest import full as full  # noqa: PLC0414  a fixture
from tests.http1.raw_server import until

pytestmark = pytest.mark.anyio


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_busy_upstream_is_asked_again_after_a_pause(status: int) -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        server.next(Fault(status), Fault(status, retry_after="2"))
        answer = await backend(house, server.url).open(ask())
        assert answer.status == 200
        answer.close()
        assert clock.slept == [0.5, 2.125]


async def test_no_more_often_than_the_section_says() -> None:
    async with serving() as server, open_house() as house:
        server.next(*[Fault(503)] * 9)
        with pytest.raises(BackendFailed) as caught:
            await backend(house, server.url, retries=1).open(ask())
        assert (caught.value.status, caught.value.elsewhere) == (503, True)
        assert len(server.requests) == 2


async def test_a_long_retry_after_is_told_at_once_and_the_model_left_alone_for_it() -> None:
    clock = Clock()
    body = {"error": {"message": "slow\x1b[31m down", "code": "tokens_per_day"}}
    async with serving() as server, open_house(clock) as house:
        server.next(Fault(429, body, retry_after="60"))
        tier = backend(house, server.url)
        with pytest.raises(BackendFailed, match="slow") as caught:
            await tier.open(ask())
        error = caught.value
        assert (error.status, error.code, error.retry_after) == (429, "tokens_per_day", 60)
        assert error.elsewhere
        assert "\x1b" not in str(error)
        assert (tier.health().state, tier.health().retry_in) == ("down", 60), "auto asks another"
        clock.now += 20
        with pytest.raises(BackendFailed) as caught:
            await tier.open(ask())
        assert (caught.value.status, caught.value.retry_after) == (429, 40)
        assert len(server.requests) == 1
        assert not clock.slept
        clock.now += 41
        (await tier.open(ask())).close()


@pytest.mark.parametrize("status", [500, 502, 504, 408])
async def test_what_may_have_been_billed_is_not_sent_twice(status: int) -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(status, {"error": {"message": "x" * 900}}))
        with pytest.raises(BackendFailed) as caught:
            await backend(house, server.url).open(ask())
        assert (caught.value.status, caught.value.elsewhere) == (status, True)
        assert len(str(caught.value)) < 600
        assert len(server.requests) == 1


@pytest.mark.parametrize("kept", [False, True])
async def test_a_connection_that_breaks_while_it_works_is_not_asked_again(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "STALE", 0.01)
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url)
        if kept:
            await whole(await tier.open(ask()))
        asked = len(server.requests)
        working = asyncio.Event()
        server.next(Fault(drop=True, wait=working))
        waiting = asyncio.ensure_future(tier.open(ask()))
        await until(lambda: len(server.requests) > asked)
        await asyncio.sleep(0.05)  # longer than a kept connection counts as stale
        working.set()
        with pytest.raises(BackendFailed) as caught:
            await waiting
        assert (caught.value.status, caught.value.elsewhere) == (502, True)
        assert len(server.requests) == asked + 1


async def test_a_connection_that_is_not_made_is_tried_again() -> None:
    clock = Clock()
    async with open_house(clock) as house:
        with pytest.raises(BackendFailed, match="coder cannot be reached") as caught:
            await backend(house, nowhere()).open(ask())
        assert (caught.value.status, caught.value.elsewhere) == (502, True)
        assert clock.slept == [0.5, 1.0]


async def test_connecting_is_bounded(full: str) -> None:
    async with open_house() as house:
        with pytest.raises(BackendFailed, match=r"no connection within 0\.05 s"):
            await backend(house, full, connect_timeout=0.05, retries=0).open(ask())


async def test_an_answer_that_does_not_begin_is_given_up_and_its_connection_closed() -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(silent=True))
        with pytest.raises(BackendFailed, match="in time") as caught:
            await backend(house, server.url, first_byte_timeout=0.05).open(ask())
        assert (caught.value.status, caught.value.elsewhere) == (504, True)
        await until(lambda: server.aborted == 1)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_refused_is_ours_to_mend(status: int) -> None:
    body = {
        "error": {"message": "Incorrect API key provided: s3cret-key", "code": "invalid_api_key"}
    }
    async with serving() as server, open_house(environ={"THE_KEY": "s3cret-key"}) as house:
        server.next(Fault(status, body))
        with pytest.raises(BackendFailed, match="THE_KEY") as caught:
            await backend(house, server.url, api_key_env="THE_KEY").open(ask())
        error = caught.value
        assert (error.status, error.code, error.elsewhere) == (status, "invalid_api_key", True)
        assert "s3cret" not in str(error)


@pytest.mark.parametrize("value", [None, "", " \n"])
async def test_without_its_key_a_tier_is_unusable_and_asks_nobody(value: str | None) -> None:
    environ = {} if value is None else {"THE_KEY": value}
    async with serving() as server, open_house(environ=environ) as house:
        tier = backend(house, server.url, api_key_env="THE_KEY")
        health = tier.health()
        assert health.state == "unusable"
        assert "THE_KEY" in health.why
        for path in (CHAT, "/v1/messages"):
            with pytest.raises(BackendFailed, match="THE_KEY") as caught:
                await tier.open(ask(path))
            assert caught.value.elsewhere
        assert not server.requests


async def test_a_key_that_would_break_the_head_is_not_sent_nor_shown() -> None:
    async with serving() as server, open_house(environ={"K": "abc\r\nx-evil: 1"}) as house:
        with pytest.raises(BackendFailed) as caught:
            await backend(house, server.url, api_key_env="K").open(ask())
        assert "abc" not in str(caught.value)
        with pytest.raises(BackendFailed):
            await backend(house, server.url, headers=(("x-a", "1\r\nx-b: 2"),)).open(ask())
        assert not server.requests


async def test_a_redirect_is_not_followed() -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(301, b"", headers=(("location", "https://else.where/v1"),)))
        with pytest.raises(BackendFailed, match=r"else\.where"):
            await backend(house, server.url).open(ask())


async def test_after_five_failures_nobody_asks_until_a_probe_succeeds() -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        tier = backend(house, server.url, retries=0)
        other = backend(house, server.url + "/v1")
        server.next(*[Fault(500)] * 6)
        for _ in range(5):
            assert tier.health().usable
            with pytest.raises(BackendFailed):
                await tier.open(ask())
        for one in (tier, other):
            with pytest.raises(BackendFailed) as caught:
                await one.open(ask())
            error = caught.value
            assert (error.status, error.code, error.retry_after) == (503, "circuit_open", 10)
            assert error.elsewhere
            assert (one.health().state, one.health().retry_in) == ("down", 10)
        assert len(server.requests) == 5
        clock.now += 10
        with pytest.raises(BackendFailed):
            await tier.open(ask())
        assert tier.health().retry_in == 20
        clock.now += 20
        (await tier.open(ask())).close()
        assert other.health().state == "ok"


async def test_four_hundreds_never_open_the_circuit() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, retries=0)
        for status in (400, 401, 404, 429) * 3:
            server.next(Fault(status))
            if status in {401, 429}:
                with pytest.raises(BackendFailed, match=str(status)):
                    await tier.open(ask())
            else:
                (await tier.open(ask())).close()
        assert len(server.requests) == 12
        assert tier.standing.breaker.state == "closed"


async def test_a_refused_key_makes_a_tier_unusable_for_a_minute_or_until_it_is_taken() -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        tier = backend(house, server.url)
        for seconds in (0, 61):
            server.next(Fault(401))
            with pytest.raises(BackendFailed):
                await tier.open(ask())
            assert tier.health().state == "unusable"
            clock.now += seconds
            if not seconds:
                (await tier.open(ask())).close()
            assert tier.health().usable


async def test_a_probe_whose_client_leaves_lets_the_next_one_in() -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        tier = backend(house, server.url, retries=0)
        server.next(*[Fault(500)] * 5, Fault(silent=True))
        for _ in range(5):
            with pytest.raises(BackendFailed):
                await tier.open(ask())
        clock.now += 11
        probe = asyncio.ensure_future(tier.open(ask()))
        await until(lambda: len(server.requests) == 6)
        with pytest.raises(BackendFailed, match="several times"):
            await tier.open(ask())
        probe.cancel()
        await until(lambda: server.aborted == 1)
        (await tier.open(ask())).close()
        assert tier.health().state == "ok"


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
async def test_a_client_that_leaves_ends_the_work_upstream(path: str) -> None:
    async with serving() as server, open_house() as house:
        server.speaks.add("/v1/messages")
        tier = backend(house, server.url)
        server.next(Fault(silent=True))
        waiting = asyncio.ensure_future(tier.open(ask(path)))
        await until(lambda: server.requests)
        waiting.cancel()
        await until(lambda: server.aborted == 1)
        server.next(Fault(after="silence"))
        answer = await tier.open(ask(path, stream=True))
        assert await answer.read()
        answer.close()
        answer.close()
        await until(lambda: server.aborted == 2)


async def test_a_client_that_leaves_a_translated_answer_ends_the_work_upstream() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, apis=("chat",))
        pause = asyncio.Event()
        server.next(Fault(pause=pause))
        waiting = asyncio.ensure_future(tier.open(ask("/v1/messages", stream=True)))
        await until(lambda: server.requests)
        waiting.cancel()
        await until(lambda: server.aborted == 1)
        assert server.open == 0


@pytest.mark.parametrize(("after", "why"), [("cut", "closed"), ("silence", "0.05 s")])
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses"])
async def test_a_stream_that_breaks_off_ends_in_an_error_and_its_proper_end(
    after: str, why: str, path: str
) -> None:
    server = UpstreamServer(speaks={CHAT, "/v1/messages", "/v1/responses"})
    async with serving(server), open_house() as house:
        server.next(Fault(after=after))
        answer = await backend(house, server.url, idle_timeout=0.05).open(ask(path, stream=True))
        told = events(await whole(answer))
        assert why in answer.problem
        if path == CHAT:
            assert told[-1] == "[DONE]"
            told.pop()
        else:
            assert told[-1]["type"] == "error"
        assert why in told[-1]["error"]["message"]


@pytest.mark.parametrize("after", ["cut", "silence", "error"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/completions"])
async def test_a_translated_answer_that_breaks_off_before_its_first_word_has_a_status(
    after: str, path: str
) -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(after=after))  # the first chunk names a role and says nothing
        tier = backend(house, server.url, idle_timeout=0.05, apis=("chat",))
        with pytest.raises(BackendFailed) as caught:
            await tier.open(ask(path, stream=True))
        assert caught.value.status == (504 if after == "silence" else 502)
        assert caught.value.elsewhere


async def test_an_error_in_a_raw_stream_is_told_as_its_problem() -> None:
    async with serving() as server, open_house() as house:
        server.next(Fault(after="error"))
        answer = await backend(house, server.url).open(ask(stream=True))
        assert events(await whole(answer))[-1]["error"]["message"] == "boom"
        assert answer.problem == "boom"


async def test_an_answer_in_one_piece_that_breaks_off_is_broken() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with listener, open_house() as house:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        answer = await backend(house, url).open(ask())
        with pytest.raises(Broken):
            await whole(answer)
        assert answer.problem


async def test_a_hundred_abandoned_streams_leave_nothing_behind() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url)
        server.next(*[Fault(after="silence")] * 100)
        for _ in range(100):
            answer = await tier.open(ask(stream=True))
            await answer.read()
            answer.close()
        await until(lambda: server.aborted == 100 and server.open == 0)
        assert not house.pool._all
        assert json.loads(await whole(await tier.open(ask())))["choices"]


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/messages/count_tokens"])
async def test_leaving_at_any_moment_leaves_nothing_behind(path: str) -> None:
    clock = Clock()
    async with serving() as server, open_house(clock) as house:
        tier = backend(house, server.url)
        for moment in range(40):
            server._faults.clear()
            server.next(Fault(503), Fault(500))
            opening = asyncio.ensure_future(tier.open(ask(path, stream=True)))
            for _ in range(moment):
                await asyncio.sleep(0)
            opening.cancel()
            ended = (await asyncio.gather(opening, return_exceptions=True))[0]
            if not isinstance(ended, BaseException):
                ended.close()
            clock.now += 500
        server._faults.clear()
        await until(lambda: server.open == len(house.pool._all))
        assert sum(map(len, house.pool._kept.values())) == len(house.pool._all)
        (await tier.open(ask())).close()
        assert tier.standing.breaker.state == "closed"
