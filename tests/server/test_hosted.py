"""Tiers that others host, behind the same gateway."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.hosted import Budget, Hosted
from llmstack.config.stack import Prices, Tier, Weights
from llmstack.config.swap import SwapConfig
from tests.server.house import anthropic_error_of, error_of, fake, running, side_by_side, tier
from tests.server.raw_upstream import RawUpstream
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
WHOLE = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "upstream/model",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "far"}}
    ],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 70\r\nContent-Type: application/json\r\n"


async def answers(peer: Peer, _: RawRequest) -> None:
    await peer.reply(json.dumps(WHOLE).encode())


async def is_busy(peer: Peer, _: RawRequest) -> None:
    await peer.reply(b'{"error": {"message": "slow down"}}', BUSY)


def hosted(name: str, role: str, port: int, **more: Any) -> Tier:
    where = Hosted(
        "openai",
        model="upstream/model",
        base_url=f"http://127.0.0.1:{port}/v1",
        api_key_env="FAR_KEY",
        retries=0,
    )
    made = Tier(name, role, Weights(), aliases=("far",), hosted=where)
    return replace(made, **more)


@asynccontextmanager
async def house_with(
    root: Path, monkeypatch: pytest.MonkeyPatch, free_port: int, **more: Any
) -> AsyncIterator[tuple[House, RawUpstream]]:
    """A stack with a local tier ``near`` and a hosted one, ``best``, and the latter's upstream."""
    monkeypatch.setenv("FAR_KEY", "far-secret")
    upstream = RawUpstream()
    await upstream.listen()
    tiers = [tier("near", "agent"), hosted("best", "ultra", upstream.port, **more)]
    try:
        async with running(root, side_by_side(fake("near", free_port)), tiers=tiers) as house:
            yield house, upstream
    finally:
        await upstream.close()


async def rows(house: House) -> list[dict[str, Any]]:
    got = await ask(house.gateway, "GET", "/api/metrics/activity")
    found: list[dict[str, Any]] = got.json()["data"]
    return found


@pytest.mark.parametrize("name", ["best", "far", "auto"])
async def test_a_hosted_tier_answers_to_its_names_and_as_a_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int, name: str
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        headers = [("Authorization", "Bearer mine"), ("Cookie", "a=b")]
        async with upstream.play(answers):
            got = await ask(house.gateway, "POST", CHAT, chat(name), headers)
        assert got.status == 200
        assert got.json()["choices"][0]["message"]["content"] == "far"
        assert got.header("x-llmstack-model") == "best"
        (sent,) = upstream.requests
        assert sent.target == CHAT
        assert json.loads(sent.body)["model"] == "upstream/model"
        assert sent.all(b"authorization") == [b"Bearer far-secret"]
        assert sent.all(b"cookie") == []


async def test_what_a_hosted_answer_used_and_cost_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    prices = Prices(input=3.0, output=15.0)
    async with house_with(tmp_path, monkeypatch, free_tcp_port, prices=prices) as (
        house,
        upstream,
    ):
        async with upstream.play(answers):
            await ask(house.gateway, "POST", CHAT, chat("best"))
        (row,) = await rows(house)
        assert row["model"] == "best"
        assert row["tokens"]["input_tokens"] == 1000
        assert row["tokens"]["output_tokens"] == 500
        told = row["metadata"]
        assert (told["backend"], told["tier"]) == ("openai", "best")
        assert float(told["cost_usd"]) == pytest.approx(0.0105)
        status = (await ask(house.gateway, "GET", "/api/status")).json()
        (best,) = status["hosted"]
        assert best["spent_today_usd"] == pytest.approx(0.0105)
        assert (best["name"], best["state"]) == ("best", "ok")


async def test_a_busy_upstream_is_told_in_the_clients_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        async with upstream.play(is_busy):
            got = await ask(house.gateway, "POST", CHAT, chat("best"))
        status, message = error_of(got)
        assert status == 429
        assert "slow down" in message
        assert int(got.header("retry-after")) in range(60, 71)
        body = {**chat("best"), "max_tokens": 5}
        status, _ = anthropic_error_of(await ask(house.gateway, "POST", "/v1/messages", body))
        assert status == 429
        assert len(upstream.requests) == 1, "it is left alone for as long as it asked"


async def test_an_upstream_that_refuses_our_key_makes_no_browser_ask_for_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    refused = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"

    async def refuses(peer: Peer, _: RawRequest) -> None:
        await peer.reply(b'{"error": {"message": "far-secret is no key"}}', refused)

    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        async with upstream.play(refuses):
            got = await ask(house.gateway, "POST", CHAT, chat("best"))
        status, message = error_of(got)
        assert status == 401
        assert "FAR_KEY" in message
        assert "far-secret" not in message
        assert not got.all("www-authenticate")


async def test_a_busy_tier_falls_back_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port, fallback=("near",)) as (
        house,
        upstream,
    ):
        async with upstream.play(is_busy):
            got = await ask(house.gateway, "POST", CHAT, chat("best"))
        assert got.status == 200
        assert got.json()["model"] == "near"
        assert got.header("x-llmstack-model") == "near"
        assert "best: 429" in got.header("x-llmstack-fallback")
        (row,) = await rows(house)
        assert row["model"] == "near"
        assert row["metadata"]["instead_of"] == "best"
        assert row["metadata"]["tier"] == "near"
        assert row["metadata"]["backend"] == "local"


async def test_a_tier_that_is_down_is_stepped_over_by_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    """After some failures in a row nothing is sent there for a while."""
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        await upstream.close()
        for _ in range(5):
            status, _ = error_of(await ask(house.gateway, "POST", CHAT, chat("best")))
            assert status == 502
        status, _ = error_of(got := await ask(house.gateway, "POST", CHAT, chat("best")))
        assert status == 503
        assert int(got.header("retry-after")) >= 1
        got = await ask(house.gateway, "POST", CHAT, chat("auto"))
        assert got.header("x-llmstack-model") == "near"
        assert "best is down" in got.header("x-llmstack-reason")
        (best,) = (await ask(house.gateway, "GET", "/api/status")).json()["hosted"]
        assert best["state"] == "down"


async def test_a_spent_budget_stops_the_tier_and_auto_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    more = {"prices": Prices(output=1000.0), "budget": Budget(per_day=0.25)}
    async with house_with(tmp_path, monkeypatch, free_tcp_port, **more) as (house, upstream):
        async with upstream.play(answers):
            assert (await ask(house.gateway, "POST", CHAT, chat("auto"))).status == 200
            got = await ask(house.gateway, "POST", CHAT, chat("auto"))
            assert got.header("x-llmstack-model") == "near"
            assert "budget_usd_per_day" in got.header("x-llmstack-reason")
            status, message = error_of(got := await ask(house.gateway, "POST", CHAT, chat("best")))
        assert status == 429
        assert "budget_usd_per_day" in message
        assert int(got.header("retry-after")) > 0
        assert len(upstream.requests) == 1


async def test_without_its_key_a_tier_is_reported_and_never_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        monkeypatch.delenv("FAR_KEY")
        (best,) = (await ask(house.gateway, "GET", "/api/status")).json()["hosted"]
        assert best["state"] == "unusable"
        assert "FAR_KEY" in best["why"]
        got = await ask(house.gateway, "POST", CHAT, chat("auto"))
        assert got.header("x-llmstack-model") == "near"
        status, message = error_of(await ask(house.gateway, "POST", CHAT, chat("best")))
        assert status == 503
        assert "FAR_KEY" in message
        assert not upstream.requests


async def test_hosted_tiers_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port, ctx_size=200_000) as (house, _):
        listed = (await ask(house.gateway, "GET", "/v1/models")).json()["data"]
        by_name = {row["id"]: row for row in listed}
        assert next(row["id"] for row in listed) == "auto"
        assert {"best", "far", "near"} <= by_name.keys()
        assert by_name["best"]["context_length"] == 200_000
        assert by_name["best"]["meta"]["llamaswap"]["backend"] == "openai"


async def test_a_client_that_leaves_ends_the_work_upstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    gone: list[bool] = []

    async def says_nothing(peer: Peer, _: RawRequest) -> None:
        await peer.gone()
        gone.append(True)

    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        async with upstream.play(says_nothing):
            async with Wire(house.gateway) as wire:
                body = json.dumps(chat("best", stream=True)).encode()
                await wire.request("POST", CHAT, body=body)
                await eventually(lambda: bool(upstream.requests), "nothing arrived")
            await eventually(lambda: bool(gone), "the upstream still works")
        (row,) = await rows(house)
        assert row["resp_status_code"] == 499


async def test_when_nothing_can_answer_auto_says_when_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    """The soonest of all tiers is told, and each with its reason."""
    monkeypatch.setenv("FAR_KEY", "far-secret")
    tiers = [
        hosted("one", "agent", free_tcp_port, aliases=(), budget=Budget(per_day=0.0)),
        hosted("two", "fast", free_tcp_port, aliases=("other",)),
    ]
    async with running(tmp_path, SwapConfig(source="test"), tiers=tiers) as house:
        for _ in range(5):
            await ask(house.gateway, "POST", CHAT, chat("two"))
        status, message = error_of(got := await ask(house.gateway, "POST", CHAT, chat("auto")))
        assert status == 503
        assert "budget_usd_per_day" in message
        assert "two is down" in message
        assert 1 <= int(got.header("retry-after")) <= 15


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files"),
        ("DELETE", "/v1/models/ft:mine"),
        ("POST", "/v1/organization/api_keys"),
        ("DELETE", "/v1/chat/completions"),
        ("POST", "/v1/chat/%63ompletions"),
        ("GET", "/"),
    ],
)
async def test_nothing_of_a_provider_but_its_model_is_asked_with_our_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int, method: str, path: str
) -> None:
    """A page that somebody looks at may send requests to a door without keys."""
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        for port in (house.gateway, house.door):
            got = await ask(port, method, f"/upstream/best{path}", {} if method == "POST" else None)
            assert error_of(got)[0] == 403
        assert not upstream.requests
        async with upstream.play(answers):
            got = await ask(house.gateway, "POST", f"/upstream/best{CHAT}", chat("best"))
        assert got.json()["choices"][0]["message"]["content"] == "far"


async def test_a_tier_that_asked_to_be_left_alone_is_stepped_over_by_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    async with house_with(tmp_path, monkeypatch, free_tcp_port) as (house, upstream):
        async with upstream.play(is_busy):
            assert (await ask(house.gateway, "POST", CHAT, chat("auto"))).status == 429
            got = await ask(house.gateway, "POST", CHAT, chat("auto"))
        assert got.status == 200
        assert got.header("x-llmstack-model") == "near"
        assert len(upstream.requests) == 1
