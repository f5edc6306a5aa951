"""Models that another server has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.house import error_of
from tests.server.surface import FORM, MULTIPART, echoed, headers_of, multipart
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


@pytest.mark.parametrize("name", ["far", "away/far"])
async def test_a_peers_model_is_asked_by_its_own_name(house: House, name: str) -> None:
    headers = [("Authorization", "Bearer mine"), ("X-Forwarded-For", "1.2.3.4"), ("X-A", "b")]
    for port in (house.door, house.gateway):
        got = await ask(port, "POST", ECHO, {"model": name, "input": "x"}, headers)
        assert got.json()["path"] == f"/base{ECHO}"
        assert echoed(got) == {"model": "far", "input": "x", "top_k": 3}
        sent = headers_of(got)
        assert sent["authorization"] == "Bearer peer-key"
        assert sent["x-api-key"] == "peer-key"
        assert sent["x-a"] == "b"
        assert "x-forwarded-for" not in sent
        assert sent["host"].startswith("127.0.0.1:")
        assert got.header("x-llmstack-model") == "away/far"


async def test_the_name_for_a_peer_is_replaced_in_every_encoding(house: House) -> None:
    path = "/v1/audio/transcriptions"
    got = await ask(house.door, "POST", path, multipart("away/far"), MULTIPART)
    assert got.json()["body"].encode() == multipart("far")
    got = await ask(house.door, "POST", path, b"a=1&model=away%2Ffar", FORM)
    assert got.json()["body"] == "a=1&model=far"
    got = await ask(house.door, "GET", "/props?model=away/far")
    assert got.json()["path"] == "/base/props?model=far"


@pytest.mark.top40(12, "local before peer")
async def test_a_local_model_beats_a_peers_of_that_name(house: House) -> None:
    """Top 40, number 12."""
    got = await ask(house.door, "POST", ECHO, {"model": "plain"})
    assert got.header("x-llmstack-model") == "plain"


async def test_a_peer_that_is_gone_is_a_bad_gateway(house: House) -> None:
    status, message = error_of(await ask(house.door, "POST", CHAT, chat("lost")))
    assert status == 502
    assert message.startswith("peer proxy error: ")


async def test_a_peer_that_does_not_begin_to_answer_is_given_up(house: House) -> None:
    status, message = error_of(await ask(house.door, "POST", CHAT, chat("slow")))
    assert status == 502
    assert message.startswith("peer proxy error: ")
