"""Keys of limited use, in the hands of somebody who tries to do more with them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from llmstack.config.swap import Peer, Profile, Selector
from tests.server.conftest import free_ports
from tests.server.house import House, fake, running, side_by_side
from tests.server.raw_upstream import RawUpstream
from tests.server.surface import FORM, JSON, MULTIPART, multipart
from tests.server.test_access import basic, bearer, key
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.raw_upstream import Peer as RawPeer
    from tests.server.raw_upstream import RawRequest

pytestmark = pytest.mark.anyio

TWO_BOUNDARIES = [("Content-Type", "multipart/form-data; boundary=xyz; boundary=abc")]
CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"
GUEST, FRIEND = bearer("only-one"), bearer("no-admin")


@pytest.fixture(scope="module")
async def shared(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, RawUpstream]]:
    """``one`` (also ``uno``), ``two``, a peer, a selector for ``two``, a profile that swaps both.

    The key ``only-one`` is for ``one`` and the peer's ``far``; ``no-admin`` for every model.
    """
    one, two = free_ports(2)
    away = RawUpstream()
    peer = Peer("away", f"http://127.0.0.1:{away.port}", ("far", "other"), api_key="peer-key")
    swap = side_by_side(fake("one", one, aliases=("uno",)), fake("two", two))
    config = replace(
        swap,
        peers={"away": peer},
        selectors={"sel": Selector("sel", "pin", ("two",))},
        profiles={"swapped": Profile("swapped", {"one": "two", "two": "one"})},
        api_keys=(
            key("everything"),
            key("only-one", models=frozenset({"one", "away/far"}), admin=False),
            key("no-admin", admin=False),
            key("one-admin", models=frozenset({"one"})),
        ),
    )
    await away.listen()
    try:
        async with running(tmp_path_factory.mktemp("attacked"), config) as house:
            yield house, away
    finally:
        await away.close()


@pytest.fixture
def house(shared: tuple[House, RawUpstream]) -> House:
    return shared[0]


@pytest.fixture
def away(shared: tuple[House, RawUpstream]) -> RawUpstream:
    return shared[1]


async def nobody(peer: RawPeer, request: RawRequest) -> None:
    pytest.fail(f"the peer was asked for {request.target}")


@pytest.mark.parametrize("headers", [[], GUEST, FRIEND])
@pytest.mark.parametrize(
    "path",
    [
        "//api/models",
        "/api//models",
        "/api/./models",
        "/api/../api/models",
        "/%61pi/models",
        "/api%2fmodels",
        "/api%2Fmodels",
        "/API/models",
        "/api/models/",
        "/api/models%0a",
        "/api/models%00",
        "/api/models;a=b",
        "/api/models%3f",
        "/v1/models/../../api/models",
        "/v1/models%2f..%2f..%2fapi%2fmodels",
        "/upstream/../api/models",
        "/upstream%2f..%2fapi/models",
        "/comfyui/../api/models",
        "/health/../api/models",
        "/health%2f..%2fapi%2fmodels",
        "http://gateway.localhost/api/models",
    ],
)
async def test_no_spelling_of_a_path_leads_to_management(
    house: House, path: str, headers: list[tuple[str, str]]
) -> None:
    for port in (house.door, house.gateway):
        for method in ("GET", "HEAD"):
            got = await ask(port, method, path, headers=headers)
            assert got.status in (307, 400, 401, 403, 404), path
            assert b"queue_length" not in got.body
            if got.status == 307:
                assert got.header("location").startswith(("/api", "/upstream", "/v1"))


@pytest.mark.parametrize("header", ["X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override"])
async def test_no_header_changes_what_is_asked_for(house: House, header: str) -> None:
    got = await ask(house.door, "GET", "/v1/models", headers=[*FRIEND, (header, "/api/models")])
    assert got.json()["object"] == "list"


@pytest.mark.parametrize(
    "headers",
    [
        bearer("ONLY-ONE"),
        bearer("only-one "[:-2]),
        bearer("only-one,everything"),
        [("Authorization", "Bearer"), ("x-api-key", "")],
        [("Authorization", "only-one")],
        [("Authorization", "Digest only-one")],
        [basic("wrong:only-one")],
        [("Cookie", "x-api-key=everything")],
        [("Proxy-Authorization", "Bearer everything")],
    ],
)
async def test_nothing_like_a_key_is_a_key(house: House, headers: list[tuple[str, str]]) -> None:
    got = await ask(house.door, "GET", "/v1/models", headers=headers)
    assert got.status == 401


@pytest.mark.parametrize("name", ["two", "sel", "away/other", "other", "swapped", "auto"])
async def test_no_name_leads_to_another_model(house: House, name: str) -> None:
    for path in (CHAT, "/v1/completions", "/v/chat/completions", "/api/chat"):
        got = await ask(house.door, "POST", path, chat(name), GUEST)
        assert got.status in (403, 404)
    got = await ask(house.door, "GET", f"/props?model={name}", headers=GUEST)
    assert got.status in (403, 404)
    got = await ask(house.door, "POST", CHAT, multipart(name), [*MULTIPART, *GUEST])
    assert got.status in (403, 404)
    assert house.state("two") == "stopped"


async def test_auto_leads_to_no_other_model(house: House) -> None:
    """The gateway has no tier for it here; whatever it chose would be asked about like a name."""
    got = await ask(house.gateway, "GET", "/upstream/two/", headers=GUEST)
    assert got.status == 403


async def test_a_profile_gives_no_other_model_either(house: House) -> None:
    """A key is for a model, whatever it is called at the moment."""
    admin = bearer("everything")
    await ask(house.door, "PUT", "/api/profiles/active", {"name": "swapped"}, admin)
    try:
        got = await ask(house.door, "POST", ECHO, {"model": "one", "input": "x"}, GUEST)
        assert got.status == 403
        got = await ask(house.door, "POST", ECHO, {"model": "two", "input": "x"}, GUEST)
        assert got.header("x-llmstack-model") == "one"
    finally:
        await ask(house.door, "PUT", "/api/profiles/active", {"name": None}, admin)


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        ("", JSON, b'{"model": "away/other", "input": "x", "model": "away/far"}'),
        ("", JSON, b'{"model": "far", "mod\\u0065l": "away/far"}'),
        ("", JSON, b'{"Model": "other", "model": "away/far"}'),
        ("", JSON, b'{"model": "far", "input": {}, "model": null, "model": "far"}'),
        ("", JSON, b'{"model": "\\ud800", "model": "away/far"}'),
        ("", FORM, b"model=away/far&model=" + b"%00"),
        ("?model=other", JSON, b'{"model": "away/far"}'),
        ("?model=other", FORM, b'{"model": "away/far"}'),
        ("?model=other", FORM, b"model=away/far"),
        ("", FORM, b"model=away/far&model=other"),
        ("?model=far", FORM, b" " * 70 + b'{"model": "other"}'),
        ("?model=far", FORM, b"\xef\xbb\xbf" + b'{"model": "other"}'),
        ("?model=other", MULTIPART, multipart("away/far")),
        ("", MULTIPART, multipart("far").replace(b"--xyz--\r\n", b"") + multipart("other")),
        ("", MULTIPART, multipart("far").replace(b'"file"', b'"model"')),
        ("", TWO_BOUNDARIES, multipart("far") + multipart("other").replace(b"xyz", b"abc")),
    ],
)
async def test_a_request_with_two_models_reaches_neither(
    house: House, away: RawUpstream, query: str, kind: list[tuple[str, str]], body: bytes
) -> None:
    """A peer may take the one where we take the other."""
    async with away.play(nobody):
        got = await ask(house.door, "POST", ECHO + query, body, [*kind, *GUEST])
    assert (got.status, got.json()["error"]["code"]) == (400, "bad_request")
    assert "more than one model" in got.json()["error"]["message"]


async def test_who_may_use_every_model_may_be_as_unclear_as_llama_swap_allows(
    house: House, away: RawUpstream
) -> None:
    async def answer(peer: RawPeer, request: RawRequest) -> None:
        await peer.reply()

    body = b'{"model": "away/far", "model": "away/far"}'
    async with away.play(answer):
        for headers in (GUEST, FRIEND, bearer("everything")):
            assert (await ask(house.door, "POST", ECHO, body, [*JSON, *headers])).status == 200


@pytest.mark.parametrize("rest", ["/api/models/unload", "/unload", CHAT, ""])
async def test_a_peers_management_is_out_of_reach(
    house: House, away: RawUpstream, rest: str
) -> None:
    """We would show the peer our own key, which may do everything there."""
    async with away.play(nobody):
        for headers in (GUEST, FRIEND):
            got = await ask(house.door, "POST", f"/upstream/away/far{rest}", chat("x"), headers)
            assert got.status == 403
            assert got.json()["error"]["code"] == "forbidden"
        got = await ask(house.door, "POST", f"/upstream/far{rest}", chat("x"), bearer("one-admin"))
        assert got.status == 403


async def test_a_full_key_passes_through_to_a_peer(house: House, away: RawUpstream) -> None:
    async def answer(peer: RawPeer, request: RawRequest) -> None:
        await peer.reply()

    async with away.play(answer):
        got = await ask(house.door, "GET", "/upstream/away/far/x", headers=bearer("everything"))
        assert got.status == 200
        (request,) = away.requests
    assert request.target == "/x"
    assert request.all(b"authorization") == [b"Bearer peer-key"]


@pytest.mark.parametrize(
    "path",
    ["/upstream/two/ws", "/upstream/away/far/ws", f"{CHAT}?model=two", f"{CHAT}?model=sel"],
)
async def test_a_websocket_is_no_way_around(house: House, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{house.door}{path}", additional_headers=GUEST)
    assert refused.value.response.status_code == 403


async def test_a_websocket_with_two_models_reaches_neither(house: House) -> None:
    url = f"ws://127.0.0.1:{house.door}{CHAT}?model=one&model=two"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=GUEST)
    assert refused.value.response.status_code == 400


async def test_an_admin_of_one_model_still_uses_no_other(house: House) -> None:
    headers = bearer("one-admin")
    assert (await ask(house.door, "POST", CHAT, chat("two"), headers)).status == 403
    assert (await ask(house.door, "GET", "/running", headers=headers)).status == 200


async def test_every_key_is_compared_whatever_was_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time tells neither which key it was nor how much of it was right."""
    from llmstack.server import access

    compared = []

    def compare(known: bytes, shown: bytes) -> bool:
        compared.append((len(known), len(shown)))
        return known == shown

    monkeypatch.setattr(access, "compare_digest", compare)
    for shown in ("everything", "one-admin", "no", "x" * 5000):
        compared.clear()
        await ask(house.door, "GET", "/v1/models", headers=bearer(shown))
        assert compared == [(32, 32)] * 4


async def test_a_body_is_what_a_limited_key_sent(house: House) -> None:
    body = b'{ "input" :"x",  "model":"one" }'
    got = await ask(house.door, "POST", ECHO, body, [*JSON, *GUEST])
    assert json.loads(got.body)["body"].encode() == body
