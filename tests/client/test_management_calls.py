"""Models listed, loaded, unloaded and routed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.client import ListedModel
from llmstack.errors import BadAnswer

if TYPE_CHECKING:
    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer

RUNNING = {"running": [{"model": "a", "state": "ready", "ttl": 0}], "new": [1]}


def test_the_models_are_listed(server: SwapServer, driver: Driver) -> None:
    row = {"id": "a/b", "object": "model", "meta": {"n_ctx": 5}}
    server.answer("/v1/models", {"object": "list", "data": [row]})
    assert driver.do(driver.new(server.url, "key").list_models()) == [ListedModel("a/b", row)]
    assert (server.last.method, server.last.path) == ("GET", "/v1/models")
    assert server.last.bearer == "Bearer key"


def test_what_runs_is_given_raw(server: SwapServer, driver: Driver) -> None:
    server.answer("/running", RUNNING)
    assert driver.do(driver.new(server.url, "key").running()) == RUNNING
    assert (server.last.method, server.last.path) == ("GET", "/running")
    assert server.last.bearer == "Bearer key"


def test_without_a_token_nothing_is_shown(server: SwapServer, driver: Driver) -> None:
    server.answer("/running", RUNNING)
    driver.do(driver.new(server.url).running())
    assert server.last.bearer is None


@pytest.mark.parametrize("answer", [b'{"msg":"ok"}', b"OK", b""])
@pytest.mark.parametrize("model", [None, "a"])
def test_unload_takes_json_text_and_nothing(
    server: SwapServer, driver: Driver, answer: bytes, model: str | None
) -> None:
    path = "/api/models/unload" + ("" if model is None else "/a")
    server.answer(path, answer, content_type="text/plain")
    client = driver.new(server.url, "key")
    assert driver.do(client.unload() if model is None else client.unload(model)) is None
    assert (server.last.method, server.last.path) == ("POST", path)
    assert server.last.bearer == "Bearer key"


@pytest.mark.parametrize("verb", ["load", "unload"])
@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("author/model", "author/model"),
        ("a/b/c:q4", "a/b/c%3Aq4"),
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("../load/x", "%2E%2E/load/x"),
        ("./.hidden", "%2E/.hidden"),
        ("a//b", "a//b"),
    ],
)
def test_slashes_stay_and_everything_else_is_encoded(
    server: SwapServer, driver: Driver, verb: str, model: str, path: str
) -> None:
    """Dots alone would reach another route."""
    whole = f"/api/models/{verb}/{path}"
    server.answer(whole, {"msg": "ok"})
    driver.do(getattr(driver.new(server.url), verb)(model))
    assert (server.last.method, server.last.path) == ("POST", whole)


@pytest.mark.parametrize("model", ["", "/", "//"])
def test_a_model_without_a_name_does_not_unload_all(
    server: SwapServer, driver: Driver, model: str
) -> None:
    with pytest.raises(ValueError, match="no name"):
        driver.do(driver.new(server.url).unload(model))
    assert server.asked == []


@pytest.mark.parametrize("asked", ["fix it", [{"role": "user", "content": "fix it"}]])
def test_a_route_is_asked_by_text_or_messages(
    server: SwapServer, driver: Driver, asked: Any
) -> None:
    server.answer("/api/route", {"model": "code-fast", "reason": "short"})
    told = driver.do(driver.new(server.url, "key").route(asked, tools=[]))
    assert told == {"model": "code-fast", "reason": "short"}
    assert (server.last.method, server.last.path) == ("POST", "/api/route")
    assert server.last.body == {"messages": [{"role": "user", "content": "fix it"}], "tools": []}
    assert server.last.bearer == "Bearer key"


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_an_error(
    server: SwapServer, driver: Driver, body: bytes
) -> None:
    for path in ("/running", "/v1/models", "/api/route"):
        server.answer(path, body)
    client = driver.new(server.url)
    for call in (client.running, client.list_models, lambda: client.route("x")):
        with pytest.raises(BadAnswer):
            driver.do(call())


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"data": [1]}, {"data": [{"id": 1}]}])
def test_a_list_of_something_else_is_an_error(
    server: SwapServer, driver: Driver, body: Any
) -> None:
    server.answer("/v1/models", body)
    with pytest.raises(BadAnswer, match="list of models"):
        driver.do(driver.new(server.url).list_models())
