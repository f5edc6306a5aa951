"""Clients: made off the event loop, one per account, never one that cannot be mended."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.backends import bedrock_clients
from llmstack.backends.bedrock_clients import clients_of
from llmstack.errors import BackendFailed
from tests.backends.bedrock_home import ask, home, read
from tests.backends.bedrock_server import HELLO, Refusal, Stream
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.backends.bedrock_account import Account

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]


class Sessions:
    """Counts what is made; ``gate`` holds the making up, ``failure`` lets it fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.made: list[Account] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self._make = bedrock_clients.make_session
        patch.setattr(bedrock_clients, "make_session", self.make)

    def make(self, account: Account) -> Any:
        """In the place of ``make_session``."""
        self.made.append(account)
        assert self.gate.wait(10)
        if self.failure:
            raise self.failure
        return self._make(account)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Sessions:
    """Counts the sessions."""
    return Sessions(monkeypatch)


async def test_no_file_of_botocore_is_read_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading the service's model takes 70 to 170 ms, for which nothing else would move."""
    from botocore.loaders import JSONFileLoader

    load = JSONFileLoader.load_file
    threads = []

    def load_file(loader: JSONFileLoader, path: str) -> Any:
        threads.append(threading.current_thread())
        return load(loader, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    async with home() as here:
        await read(await here.tier().open(ask(stream=True)))
    assert threads
    assert threading.current_thread() not in threads


async def test_tiers_of_one_account_share_a_client(sessions: Sessions) -> None:
    async with home() as here:
        tiers = [here.tier(model=model) for model in ("amazon.nova-pro-v1:0", "other")]
        tiers.append(here.tier(region="us-west-2"))
        tiers.append(here.tier(profile=""))
        for tier in tiers * 2:
            await read(await tier.open(ask(stream=True)))
        assert len(sessions.made) == 3
        assert [(call.key, call.region) for call in here.server.calls[:4]] == [
            ("AKIAWORK", "eu-central-1"),
            ("AKIAWORK", "eu-central-1"),
            ("AKIAWORK", "us-west-2"),
            ("AKIADEFAULT", "eu-west-1"),
        ]


async def test_requests_that_come_at_once_make_one_client(sessions: Sessions) -> None:
    """Who leaves meanwhile does not take it from the others."""
    async with home() as here:
        tier = here.tier()
        sessions.gate.clear()
        asked = [asyncio.create_task(tier.open(ask(stream=True))) for _ in range(20)]
        await until(lambda: sessions.made)
        asked[0].cancel()
        await asyncio.gather(asked[0], return_exceptions=True)
        sessions.gate.set()
        for answer in await asyncio.gather(*asked[1:]):
            await read(answer)
        assert len(sessions.made) == 1
        assert len(here.server.calls) == 19


async def test_hundreds_of_streams_run_at_once() -> None:
    async with home() as here:
        tier, gate = here.tier(), asyncio.Event()
        here.server.answers(Stream((gate, *HELLO)))
        asked = [asyncio.create_task(tier.open(ask(stream=True))) for _ in range(300)]
        await until(lambda: here.server.open == len(asked))
        gate.set()
        for answer in await asyncio.gather(*asked):
            assert b"Hello" in await read(answer)


async def test_what_could_not_be_made_is_made_anew(sessions: Sessions) -> None:
    async with home() as here:
        tier = here.tier()
        sessions.failure = RuntimeError("the keychain is locked")
        with pytest.raises(BackendFailed, match="keychain") as failure:
            await tier.open(ask())
        assert (failure.value.status, failure.value.code) == (503, "backend_unusable")
        assert failure.value.elsewhere
        assert tier.health().state == "unusable"
        sessions.failure = None
        assert b"Hello" in await read(await tier.open(ask(stream=True)))
        assert tier.health().state == "ok"


async def test_closing_while_a_client_is_made_leaves_nothing(sessions: Sessions) -> None:
    async with home() as here:
        sessions.gate.clear()
        tier = here.tier()
        asked = asyncio.create_task(tier.open(ask()))
        await until(lambda: sessions.made)
        await tier.close()
        with pytest.raises(BackendFailed, match="closed"):
            await asked
        sessions.gate.set()
        assert not len(clients_of(here.house))


async def test_keys_that_were_renewed_are_used(amazon: Path) -> None:
    """Tools that log in write new keys into the file; the daemon need not be restarted."""
    async with home() as here:
        tier = here.tier()
        running = asyncio.Event()
        here.server.answers(Stream((*HELLO[:2], running, *HELLO[2:])))
        answer = await tier.open(ask(stream=True))
        here.server.answers(Refusal(403, "ExpiredTokenException", "expired"))
        with pytest.raises(BackendFailed, match="expired"):
            await tier.open(ask())
        assert tier.health().state == "unusable"
        keys = amazon / "credentials"
        keys.write_text(keys.read_text().replace("AKIAWORK", "AKIANEW"))
        here.server.answers(Stream())
        await read(await tier.open(ask(stream=True)))
        assert here.server.calls[-1].key == "AKIANEW"
        assert tier.health().state == "ok"
        # What was running has kept its connection.
        running.set()
        assert b"[DONE]" in await read(answer)


async def test_an_account_that_was_refused_may_be_tried_after_a_while() -> None:
    async with home() as here:
        tier = here.tier()
        here.server.answers(Refusal(403, "UnrecognizedClientException", "unknown key"))
        with pytest.raises(BackendFailed):
            await tier.open(ask())
        assert tier.health().state == "unusable"
        assert "unknown key" in tier.health().why
        here.now += 31
        assert tier.health().usable


async def test_a_proxy_of_the_environment_is_not_told_what_stays_on_this_machine() -> None:
    """``aws`` sets one where nothing listens."""
    async with home() as here:
        assert b"Hello" in await read(await here.tier().open(ask(stream=True)))
