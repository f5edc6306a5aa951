"""The gateway's own part: it chooses the tier and says so, and lists what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.house import anthropic_error_of, error_of, fake, running, side_by_side
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House
    from tests.server.raw_upstream import Peer, RawRequest, RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("name", ["auto", "", None, "Auto"])
async def test_auto_says_which_model_answers_and_why(house: House, name: str | None) -> None:
    got = await ask(house.gateway, "POST", CHAT, chat(name))
    assert got.status == 200
    assert got.header("x-llmstack-model") == "smart"
    assert "tokens" in got.header("x-llmstack-reason")
    assert 1 <= int(got.header("x-llmstack-tokens")) <= 20
    assert got.json()["model"] == "smart"


async def test_auto_goes_by_size(house: House) -> None:
    """What does not fit the agent tier's window goes to the tier that it fits."""
    got = await ask(house.gateway, "POST", CHAT, chat("auto", "lorem ipsum " * 20_000))
    assert got.header("x-llmstack-model") == "fast"
    assert int(got.header("x-llmstack-tokens")) > 20_000
    assert got.json()["model"] == "fast"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, chat("auto")),
        ("/v1/completions", {"prompt": "hi"}),
        ("/v1/messages", {**chat("auto"), "max_tokens": 500}),
        ("/v1/messages/count_tokens", chat("auto")),
        ("/v1/responses", {"model": "auto", "input": "hi"}),
    ],
)
async def test_auto_works_in_every_dialect(house: House, path: str, body: object) -> None:
    got = await ask(house.gateway, "POST", path, body)
    assert got.status == 200
    assert got.header("x-llmstack-model") == "smart"


async def test_a_stream_carries_the_headers_of_the_decision(house: House) -> None:
    got = await ask(house.gateway, "POST", CHAT, chat("auto", stream=True))
    assert got.header("content-type") == "text/event-stream"
    assert got.header("x-llmstack-model") == "smart"


async def test_a_model_that_the_client_names_is_what_it_gets(house: House) -> None:
    got = await ask(house.gateway, "POST", CHAT, chat("fast"))
    assert got.header("x-llmstack-model") == "fast"
    assert got.header("x-llmstack-reason") == "named by the client"


async def test_an_alias_reaches_its_model_and_stays_in_the_body(house: House) -> None:
    """The body is forwarded as it is; the header says which model it was."""
    got = await ask(house.gateway, "POST", CHAT, chat("clever"))
    assert got.header("x-llmstack-model") == "smart"
    assert got.json()["model"] == "clever"


async def test_the_doors_do_not_choose(house: House) -> None:
    assert error_of(await ask(house.door, "POST", CHAT, chat("auto")))[0] == 404


@pytest.mark.parametrize("body", [{"input": "hi"}, {"model": "auto", "input": ["a", "b"]}])
async def test_auto_cannot_embed(house: House, body: object) -> None:
    """Vectors of different models cannot be compared, so a silent choice would do harm."""
    status, message = error_of(await ask(house.gateway, "POST", "/v1/embeddings", body))
    assert status == 400
    assert "auto cannot choose a model for embeddings" in message


async def test_embeddings_of_a_named_model_pass(house: House) -> None:
    body = {"model": "fast", "input": "hi"}
    got = await ask(house.gateway, "POST", "/v1/embeddings", body)
    assert got.json()["path"] == "/v1/embeddings"


async def test_a_stack_without_roles_says_that_auto_has_no_choice(tmp_path: Path) -> None:
    async with running(tmp_path, side_by_side(fake("only", 1))) as house:
        status, message = error_of(await ask(house.gateway, "POST", CHAT, chat("auto")))
        assert status == 404
        assert "role" in message
        told = await ask(house.gateway, "POST", "/v1/messages", chat("auto"))
        assert anthropic_error_of(told)[0] == 404


async def test_headers_of_the_decision_stand_beside_the_upstreams_own(
    house: House, raw: RawUpstream
) -> None:
    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.reply()

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"))
    assert got.header("x-llmstack-model") == "raw"
    assert not raw.requests[0].all(b"x-llmstack-model")


async def test_auto_is_listed_first(house: House) -> None:
    rows = (await ask(house.gateway, "GET", "/v1/models")).json()["data"]
    assert rows[0]["id"] == "auto"
    assert rows[0]["object"] == "model"
    assert rows[0]["created"] == 0
    assert rows[0]["description"]
    assert [row["id"] for row in rows[1:]] == ["broken", "clever", "fast", "raw", "smart"]


async def test_the_door_lists_models_only(house: House) -> None:
    """llama-swap's records, without ``auto``, which the door does not know."""
    for path in ("/v1/models", "/models"):
        body = (await ask(house.door, "GET", path)).json()
        assert body["object"] == "list"
        rows = {row["id"]: row for row in body["data"]}
        assert "auto" not in rows
        assert "author/model" not in rows  # unlisted
        assert rows["clever"]["meta"]["llamaswap"]["modelID"] == "smart"
        assert rows["smart"]["description"] == "thinks"
        assert rows["raw"]["status"] == {"value": "loaded"}
        assert rows["broken"]["status"] == {"value": "unloaded"}


async def test_models_ini_is_shown_as_it_is_on_disk(house: House) -> None:
    """Read with every request, not one byte changed."""
    path = house.work.models_ini
    for text in (path.read_bytes(), b"[DEFAULT]\r\n; \xc3\xa9\xff\n"):
        path.write_bytes(text)
        got = await ask(house.gateway, "GET", "/models.ini")
        assert (got.status, got.body) == (200, text)
        assert got.header("content-type") == "text/plain; charset=utf-8"


async def test_models_ini_that_is_gone_is_not_found(house: House) -> None:
    path = house.work.models_ini
    text = path.read_bytes()
    path.unlink()
    try:
        got = await ask(house.gateway, "GET", "/models.ini")
        assert got.status == 404
        path.mkdir()
        assert (await ask(house.gateway, "GET", "/models.ini")).status == 500
        path.rmdir()
    finally:
        path.write_bytes(text)


@pytest.mark.parametrize("path", ["/running", "/health", "/logs", "/models", "/upstream/smart/x"])
async def test_whatever_is_not_the_gateways_own_is_the_doors(house: House, path: str) -> None:
    one, other = [await ask(port, "GET", path) for port in (house.gateway, house.door)]
    assert one.status == other.status == 200
    if path not in ("/running", "/logs", "/models"):
        assert one.body == other.body


async def test_the_doors_model_routes_work_at_the_gateway(house: House) -> None:
    got = await ask(house.gateway, "POST", "/v1/rerank", {"model": "fast", "query": "x"})
    assert got.json()["path"] == "/v1/rerank"
    got = await ask(house.gateway, "GET", "/props?model=clever&x=%2F")
    assert got.json()["path"] == "/props?model=clever&x=%2F"


async def test_the_status_tells_what_is_loaded(house: House) -> None:
    await ask(house.gateway, "POST", CHAT, chat("smart"))
    status = (await ask(house.gateway, "GET", "/api/status")).json()
    assert status["ready"]
    assert not status["loading"]
    assert status["work_dir"] == str(house.work.root)
    rows = {row["id"]: row for row in status["models"]}
    assert rows["smart"]["state"] == "ready"
    assert rows["smart"]["pid"] > 0
