"""Where the server is: a URL, a DSN, or nothing yet."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from llmstack.client.address import Address, read_dsn, read_url
from llmstack.errors import ClientNotConfigured, ExtraMissing
from tests.client.swap_server import CHAT, COMPLETION, serving
from tests.client.test_patience import CALLS

if TYPE_CHECKING:
    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://host:1", "http://host:1"),
        ("http://host:1///", "http://host:1"),
        ("https://host/llm/", "https://host/llm"),
        ("http://host:1/v1", "http://host:1"),
        ("http://host:1/llm/v1/", "http://host:1/llm"),
        ("HTTP://[::1]:1/", "http://[::1]:1"),
        ("", ""),
    ],
)
def test_a_url_becomes_the_root(url: str, root: str) -> None:
    assert read_url(url, "key") == Address(root, "key")


@pytest.mark.parametrize(
    ("dsn", "root", "token"),
    [
        ("llama-swap://key@host:1", "http://host:1", "key"),
        ("llama-swap://host:1/", "http://host:1", ""),
        ("llama-swap://@host:1", "http://host:1", ""),
        ("llama-swap://a%2Fb%40c%3Ad%25@host:1", "http://host:1", "a/b@c:d%"),
        ("llama-swap://key@host:1/some/where/", "http://host:1/some/where", "key"),
        ("llama-swap://key@[::1]:1/x", "http://[::1]:1/x", "key"),
        ("llama-swap://[fe80::1]:1", "http://[fe80::1]:1", ""),
        ("llama-swap://host", "http://host", ""),
    ],
)
def test_a_dsn_is_an_http_root_and_a_token(dsn: str, root: str, token: str) -> None:
    assert read_dsn(dsn) == Address(root, token)


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "http://s3cret@host:1",
        "llama-swap:",
        "llama-swap://",
        "llama-swap://s3cret@",
        "llama-swap://s3cret@:1",
        "llama-swap://s3:cret@host:1",
        "llama-swap://s3@cret@host:1",
        "llama-swap://s3cret@host:port",
        "llama-swap://s3cret@host:99999",
        "llama-swap://s3cret@[::1",
        "llama-swap://s3cret@host:1?x=1",
        "llama-swap://s3cret@host:1#x",
        "llama-swap://s3cret%0A@host:1",
        "llama-swap://s3cret%C3%A9@host:1",
        "llama-swap://s3cret@ho st:1",
    ],
)
def test_a_wrong_dsn_is_refused_without_its_token(dsn: str, driver: Driver) -> None:
    with pytest.raises(ClientNotConfigured) as raised:
        driver.type.from_dsn(dsn)
    assert "cret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["host:1", "ftp://host", "http://", "http://key@host", "http://h/?x", "http://h:x", "x"]
)
def test_a_wrong_url_is_refused_at_once(url: str, driver: Driver) -> None:
    with pytest.raises(ClientNotConfigured):
        driver.type(url)


@pytest.mark.parametrize("token", ["a\nb", "é", "a\x7f"])
def test_a_token_that_no_header_can_hold_is_refused(token: str, driver: Driver) -> None:
    with pytest.raises(ClientNotConfigured) as raised:
        driver.type("http://host", token)
    assert token not in str(raised.value)


def test_a_dsn_reaches_the_server_below_its_path(server: SwapServer, driver: Driver) -> None:
    server.answer("/deep/er/running", {"running": []})
    server.answer(f"/deep/er{CHAT}", COMPLETION)
    host = server.url.removeprefix("http://")
    client = driver.dsn(f"llama-swap://a%20b@{host}/deep/er/")
    assert driver.do(client.running()) == {"running": []}
    driver.do(client.chat("a").create("hello"))
    assert [one.bearer for one in server.asked] == ["Bearer a b"] * 2


def test_a_dsn_reaches_ipv6(driver: Driver) -> None:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(serving("::1"))
        except OSError:
            pytest.skip("this machine has no IPv6")
        server.answer("/running", [])
        client = driver.dsn(server.url.replace("http://", "llama-swap://key@"))
        assert driver.do(client.running()) == []
        driver.do(client.chat("a").create("hello"))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_client_without_a_url_says_so_when_it_is_used(driver: Driver, call: object) -> None:
    client = driver.new()
    with pytest.raises(ClientNotConfigured, match=r"has no URL\nGive one: LlamaSwap\("):
        driver.do(call(client))  # type: ignore[operator]


def test_the_token_is_not_printed(driver: Driver) -> None:
    client = driver.new("http://host:1", "s3cret")
    assert repr(client) == f"{driver.type.__name__}('http://host:1')"
    assert "s3cret" not in repr(client._address)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_the_package_the_extra_is_named(
    driver: Driver, call: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "llmstack.client.sdk", raising=False)
    monkeypatch.setitem(sys.modules, "openai", None)
    client = driver.new("http://127.0.0.1:1")
    with pytest.raises(ExtraMissing, match=r"pip install 'llmstack\[client\]'"):
        driver.do(call(client))  # type: ignore[operator]


def test_importing_and_making_a_client_imports_nothing_heavy() -> None:
    code = (
        "import sys, llmstack.client\n"
        "light = set(sys.modules)\n"
        "from llmstack.client import *\n"
        "LlamaSwap('http://host'), AsyncLlamaSwap('http://host')\n"
        "heavy = {'openai', 'httpx', 'httpx2', 'pydantic', 'asyncio', 'starlette'}\n"
        "print(heavy & set(sys.modules), 'llmstack.client.swap' in light)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["set()", "False"]


def test_names_that_are_not_there_are_attribute_errors() -> None:
    import llmstack.client

    with pytest.raises(AttributeError, match=r"llmstack\.client"):
        llmstack.client.Nothing  # noqa: B018
