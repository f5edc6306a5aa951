"""Hosted tiers that are busy, down, too dear or not set up, as the official SDKs meet them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import openai
import pytest

from tests.backends.upstream_server import Fault, UpstreamServer, serving
from tests.e2e.matrix_ground import Clients, Log, clients_of
from tests.e2e.matrix_hosted import CREDENTIALS
from tests.e2e.matrix_places import soon
from tests.e2e.matrix_table import APIS, Way
from tests.e2e.matrix_wishes import PLAIN
from tests.e2e.stack import Stack, models_ini

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.e2e.matrix_wishes import Said
    from tests.e2e.stack import Json

pytestmark = pytest.mark.anyio

FAR = "Hello from upstream."
WAYS = get_args(Way)
#: One tier for each test that spoils one: what is known of an upstream is kept per key.
BUSY = tuple(f"busy-{api}-{way}" for api in APIS for way in WAYS)


@dataclass(frozen=True)
class Town:
    """A stack whose tiers are at ``upstream``, except ``spare`` and ``near``."""

    stack: Stack
    clients: Clients
    log: Log
    upstream: UpstreamServer

    async def hosted(self, name: str) -> Json:
        """What ``/api/status`` says of a hosted tier."""
        answer = await asyncio.to_thread(self.stack.request, "GET", "/api/status")
        rows: list[Json] = answer.json()["hosted"]
        return next(row for row in rows if row["name"] == name)

    async def chat(self, model: str, text: str = PLAIN.text) -> Mapping[str, str]:
        """The headers of a chat completion."""
        create = self.clients.openai.chat.completions.with_raw_response.create
        raw = await create(model=model, messages=[{"role": "user", "content": text}], max_tokens=40)
        assert raw.parse().choices[0].message.content
        headers: Mapping[str, str] = raw.headers
        return headers


def tiers(upstream: UpstreamServer, spare: UpstreamServer, tiny_chat: Path) -> dict[str, Any]:
    """Sections of models.ini."""

    def at(server: UpstreamServer, key: str, **more: str) -> dict[str, str]:
        where = {"backend": "openai", "base_url": server.url, "model_name": "served"}
        numbers = {"retries": "0", "ctx_size": "128k", "role": "publish"}
        return {**where, **numbers, "api_key_env": key.upper().replace("-", "_"), **more}

    names = (*BUSY, "failing", "mending")
    dear = {"price_input_per_1m": "1000", "price_output_per_1m": "1000"}
    near = {"path": str(tiny_chat), "size_gb": "0.1", "sampler": "temp=0", "ctx_size": "32768"}
    return {
        "near": {"role": "agent", **near, "preload": "true"},
        "best": at(upstream, "best", role="ultra", budget_usd_per_day="0.01", **dear),
        "monthly": at(upstream, "monthly", budget_usd_per_month="0.01", fallback="spare", **dear),
        **{name: at(upstream, name, fallback="spare") for name in names},
        "spare": at(spare, "spare"),
        "lost": {
            "backend": "bedrock",
            "role": "plan",
            "aws_model_id": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws_profile": "nobody-has-this",
            "aws_region": "eu-west-1",
            "ctx_size": "200k",
        },
    }


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def town(
    anyio_backend: object, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """One stack for all tests here."""
    async with AsyncExitStack() as opened, serving() as upstream, serving() as spare:
        sections = tiers(upstream, spare, tiny_chat)
        keys = {tier["api_key_env"]: "k" for tier in sections.values() if "api_key_env" in tier}
        ini = models_ini(sections, ollama="off")
        stack = opened.enter_context(Stack(tmp_path_factory.mktemp("town"), ini))
        done = await asyncio.to_thread(stack.command, "start", **CREDENTIALS, **keys)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        clients = await opened.enter_async_context(clients_of(stack.gateway))
        yield Town(stack, clients, Log(stack), upstream)


def refused(status: int, seconds: str = "") -> Fault:
    error = {"type": "rate_limit_error", "message": "come back later"}
    return Fault(status=status, body={"error": error}, retry_after=seconds)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_a_busy_tier_s_requests_go_to_its_fallback_which_says_so(
    town: Town, api: str, way: str
) -> None:
    tier, client = f"busy-{api}-{way}", town.clients.of(api)
    newest, before = await town.log.newest(), len(town.upstream.requests)
    town.upstream.next(refused(429, "60"))
    headers, said = await heard(client, way, tier)
    assert said.text == FAR
    assert headers["x-llmstack-model"] == "spare"
    assert f"{tier}: 429" in headers["x-llmstack-fallback"]
    assert len(town.upstream.requests) == before + 1
    row = await town.log.only_one_after(newest)
    assert (row["model"], row["metadata"]["instead_of"]) == ("spare", tier)
    assert row["metadata"]["backend"] == "openai"
    headers, _ = await heard(client, way, tier)
    assert headers["x-llmstack-model"] == "spare"
    assert len(town.upstream.requests) == before + 1, "it is left alone for a minute"


async def heard(client: Any, way: str, model: str) -> tuple[Mapping[str, str], Said]:
    if way == "whole":
        whole: tuple[Mapping[str, str], Said] = await client.ask(model, PLAIN)
        return whole
    async with client.listen(model, PLAIN) as listener:
        return listener.headers, await listener.said()


async def test_an_open_circuit_sends_requests_to_the_fallback_and_closes_again(town: Town) -> None:
    before = len(town.upstream.requests)
    town.upstream.next(*(refused(500) for _ in range(5)))
    for _ in range(5):
        assert (await town.chat("failing"))["x-llmstack-model"] == "spare"
    assert len(town.upstream.requests) == before + 5
    row = await town.hosted("failing")
    assert row["state"] == "down"
    assert 0 < row["retry_in_s"] <= 13
    headers = await town.chat("failing")
    assert headers["x-llmstack-model"] == "spare"
    assert "failing: 503" in headers["x-llmstack-fallback"]
    assert len(town.upstream.requests) == before + 5, "nothing is sent there while it is open"
    # Half-open: the next request is the probe, and its success closes the circuit.
    await soon(lambda: _state(town, "failing") != "down", "the rest is over", 20)
    headers = await town.chat("failing")
    assert headers["x-llmstack-model"] == "failing"
    assert "x-llmstack-fallback" not in headers
    assert (await town.hosted("failing"))["state"] == "ok"


def _state(town: Town, name: str) -> str:
    rows = town.stack.request("GET", "/api/status").json()["hosted"]
    return str(next(row["state"] for row in rows if row["name"] == name))


async def test_a_request_that_is_wrong_goes_nowhere_else(town: Town) -> None:
    town.upstream.next(refused(400))
    with pytest.raises(openai.BadRequestError, match="come back later"):
        await town.chat("mending")
    assert (await town.hosted("mending"))["state"] == "ok"


async def test_a_spent_day_makes_auto_step_on_and_refuses_who_names_the_tier(town: Town) -> None:
    assert (await town.chat("auto"))["x-llmstack-model"] == "best"
    headers = await town.chat("auto")
    assert headers["x-llmstack-model"] == "near"
    assert "best over its budget_usd_per_day" in headers["x-llmstack-reason"]
    for api in APIS:
        with pytest.raises(Exception, match="budget_usd_per_day") as caught:
            await town.clients.of(api).ask("best", PLAIN)
        assert caught.value.status_code == 429  # type: ignore[attr-defined]
        assert int(caught.value.response.headers["retry-after"]) > 0  # type: ignore[attr-defined]
    row = await town.hosted("best")
    assert row["over"] == "budget_usd_per_day"
    assert row["spent_today_usd"] == pytest.approx(0.016)


async def test_who_names_a_tier_beyond_its_month_is_refused_whatever_it_falls_back_on(
    town: Town,
) -> None:
    assert (await town.chat("monthly"))["x-llmstack-model"] == "monthly"
    with pytest.raises(openai.RateLimitError, match="budget_usd_per_month"):
        await town.chat("monthly")


async def test_a_profile_that_nobody_has_is_reported_and_left_out_of_auto(town: Town) -> None:
    row = await town.hosted("lost")
    assert row["state"] == "unusable"
    assert "nobody-has-this" in row["why"]
    headers = await town.chat("auto", "design a cache and make a plan for the login page")
    assert headers["x-llmstack-model"] != "lost"
    for api in APIS:
        for ask in (heard(town.clients.of(api), way, "lost") for way in WAYS):
            with pytest.raises(Exception, match="nobody-has-this") as caught:
                await ask
            assert caught.value.status_code == 503  # type: ignore[attr-defined]
    for command in ("check", "status"):
        said = await asyncio.to_thread(town.stack.command, command, **CREDENTIALS)
        assert "nobody-has-this" in said.stdout + said.stderr, command


async def test_hosted_tiers_are_listed_with_their_windows(town: Town) -> None:
    listed = {model.id: model async for model in town.clients.openai.models.list()}
    assert {"auto", "near", "best", "spare", "lost"} <= listed.keys()
    assert listed["best"].model_extra["context_length"] == 131_072  # type: ignore[index]
    assert listed["lost"].model_extra["context_length"] == 204_800  # type: ignore[index]
