"""Model routes: which model answers, and what it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS
from tests.server.house import error_of
from tests.server.surface import FORM, JSON, MULTIPART, echoed, headers_of, multipart
from tests.server.wire import ask

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


@pytest.mark.top40(13, "the list of routes")
def test_the_model_routes_are_llama_swaps() -> None:
    """The list of section 3.5 of the report, written out."""
    text = "chat/completions responses completions messages messages/count_tokens embeddings"
    text += " rerank reranking"
    others = (
        "/rerank /reranking /infill /completion /v1/audio/speech /v1/audio/voices"
        " /v1/audio/transcriptions /v1/images/generations /v1/images/edits"
        " /sdapi/v1/txt2img /sdapi/v1/img2img /audioapi/v1/tasks/run"
    )
    posts = {f"{prefix}/{name}" for prefix in ("/v1", "/v") for name in text.split()}
    assert set(MODEL_POSTS) == posts | set(others.split())
    assert set(MODEL_GETS) == {"/v1/audio/voices", "/sdapi/v1/loras", "/props"}


@pytest.mark.top40(13, "POST routes are answered")
@pytest.mark.top40(13, "/v and /audioapi are stripped")
@pytest.mark.top40(13, "multipart")
@pytest.mark.top40(14, "by content type")
@pytest.mark.top40(15, "byte for byte")
@pytest.mark.parametrize("path", sorted(MODEL_POSTS - {CHAT, "/v1/completions"}))
async def test_every_post_route_takes_every_encoding(house: House, path: str) -> None:
    """Top 40, numbers 13 to 15; the prefixes ``/v`` and ``/audioapi`` do not go on."""
    onward = path.removeprefix("/audioapi")
    onward = onward[2:] if onward.startswith("/v/") else onward
    odd = b'{ "x":1e2,\t"model":"simple" , "x":2}'
    for body, headers in (
        (odd, JSON),
        (b"a=%zz&model=simple&b", FORM),
        (multipart("simple"), MULTIPART),
        (odd, []),
    ):
        port = house.door if path.startswith("/v1/") and headers != JSON else house.gateway
        got = await ask(port, "POST", f"{path}?q=%2F", body, headers)
        if onward in (CHAT, "/v1/completions"):
            continue
        assert got.json()["path"] == f"{onward}?q=%2F"
        assert got.json()["body"].encode() == body
        assert got.header("x-llmstack-model") == "plain"


@pytest.mark.top40(13, "GET routes are answered")
@pytest.mark.parametrize("path", sorted(MODEL_GETS))
async def test_get_routes_name_the_model_in_the_query(house: House, path: str) -> None:
    """Top 40, number 13."""
    got = await ask(house.door, "GET", f"{path}?x=%2f&model=simple")
    assert got.json()["path"] == f"{path}?x=%2f&model=simple"
    assert error_of(await ask(house.door, "GET", path)) == (
        404,
        "no model id could be identified",
    )


@pytest.mark.top40(14, "404 without a model")
@pytest.mark.parametrize(
    ("body", "headers"),
    [(b"", []), (b"x=1", FORM), (b"{}", JSON), (multipart(""), MULTIPART), (b"plain", [])],
)
async def test_a_request_without_a_model_is_not_found(
    house: House, body: bytes, headers: list[tuple[str, str]]
) -> None:
    """Top 40, number 14: 404, not 400."""
    got = await ask(house.door, "POST", "/v1/audio/speech", body, headers)
    assert error_of(got) == (404, "no model id could be identified")


async def test_a_form_may_name_its_model_in_the_query(house: House) -> None:
    got = await ask(house.door, "POST", "/v1/audio/speech?model=plain", b"a=b", FORM)
    assert got.header("x-llmstack-model") == "plain"


@pytest.mark.top40(15, "Content-Length after filters")
@pytest.mark.top40(16, "order of filters")
async def test_filters_change_what_they_name(house: House) -> None:
    """Top 40, number 16."""
    body = {"model": "loud", "secret": {"deep": 1, "kept": 2}, "temperature": 1}
    got = await ask(house.door, "POST", ECHO, body)
    assert echoed(got) == {
        "model": "real",
        "secret": {"kept": 2},
        "temperature": 0.5,
        "volume": 11,
    }
    assert int(headers_of(got)["content-length"]) == len(got.json()["body"])
    assert "volume" not in echoed(await ask(house.door, "POST", ECHO, {"model": "filtered"}))
    assert echoed(await ask(house.gateway, "POST", ECHO, body))["model"] == "real"


async def test_a_multipart_form_only_has_its_model_renamed(house: House) -> None:
    path = "/v1/audio/transcriptions"
    got = await ask(house.door, "POST", path, multipart("filtered"), MULTIPART)
    assert got.json()["body"].encode() == multipart("real")


async def test_upstream_is_not_filtered(house: House) -> None:
    body = {"model": "x", "temperature": 1}
    assert echoed(await ask(house.door, "POST", f"/upstream/filtered{ECHO}", body)) == body
