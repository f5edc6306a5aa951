"""Pages that make a browser ask: whom the guard stops, in a stack and in llama-swap's place."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from llmstack.config.swap import ApiKey, SwapConfig
from llmstack.engine import Engine
from llmstack.errors import Forbidden, Unauthorized
from llmstack.server.access import Access
from llmstack.server.asking import Asking
from llmstack.server.guard import Guard

GUARD = Guard(["box.lan", "*.example.org"], ["https://chat.test", "null"], ["thishost"])


def scope(peer: str = "127.0.0.1", method: str = "POST", path: str = "/x", **headers: str) -> Any:
    """A request; ``_`` in a header's name stands for ``-``."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "http_version": "1.1",
        "client": (peer, 1),
        "headers": [
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }


def passes(guard: Guard = GUARD, **request: str) -> bool:
    asked = scope(**request)
    return guard.fault(Asking(asked), asked) is None


OURS = (
    *("127.0.0.1:10101", "[::1]", "192.168.1.2:1", "localhost", "a.localhost:1", "thishost"),
    *("THISHOST:10101", "box.lan", "a.example.org", "Box.Lan."),
)
STRANGE = (
    *("evil.test", "thishost.evil.test", "example.org", "127.0.0.1.evil.test", "", " ", "a/b"),
    *("localhost:1:2", "evil.test:127.0.0.1", "[evil.test]", "xn--", "a" * 300, "\xff"),
)


@pytest.mark.parametrize("host", OURS)
def test_these_names_are_ours(host: str) -> None:
    assert passes(host=host)


@pytest.mark.parametrize("host", STRANGE)
def test_these_names_are_not(host: str) -> None:
    assert not passes(host=host)


def test_a_client_that_says_less_is_no_browser() -> None:
    assert passes()
    assert passes(host="localhost", sec_fetch_site="none")
    assert passes(host="localhost", sec_fetch_site="same-origin")


@pytest.mark.parametrize(
    ("origin", "host", "let_in"),
    [
        ("http://localhost:10101", "localhost:10101", True),
        ("https://localhost:10101", "localhost:10101", True),
        ("http://192.168.1.2:10101", "192.168.1.2:10101", True),
        ("http://192.168.1.2:3000", "192.168.1.2:10101", False),
        ("http://localhost:3000", "192.168.1.2:10101", True),
        ("http://127.0.0.1.evil.test", "127.0.0.1", False),
        ("https://chat.test", "127.0.0.1", True),
        ("https://CHAT.test", "127.0.0.1", True),
        ("http://chat.test", "127.0.0.1", False),
        ("https://chat.test.evil.test", "127.0.0.1", False),
        ("null", "127.0.0.1", True),
        ("", "127.0.0.1", False),
        ("file://", "127.0.0.1", False),
        ("tauri://localhost", "127.0.0.1", True),
    ],
)
def test_an_origin_is_ours_or_this_machines_or_allowed(
    origin: str, host: str, let_in: bool
) -> None:
    assert passes(host=host, origin=origin) is let_in


def test_a_sandboxed_page_is_not_let_in_unless_that_is_written() -> None:
    assert not passes(Guard(names=[]), host="127.0.0.1", origin="null")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_that_sends_no_origin_is_known_by_its_site(site: str) -> None:
    """An image of ``/unload`` is such a request. Ports of this machine are one site."""
    assert not passes(method="GET", host="192.168.1.2", sec_fetch_site=site)
    loads = passes(method="GET", host="localhost", sec_fetch_site=site)
    assert loads is (site == "same-site")


def test_bad_names_cost_no_memory() -> None:
    guard = Guard(names=[])
    for number in range(1000):
        assert not passes(guard, host=f"evil{number}.test")
        assert passes(guard, host=f"10.0.{number >> 8}.{number & 255}")
    assert len(guard._good) <= 256


def test_what_is_turned_down_says_what_to_set_and_is_safe_to_show() -> None:
    for request in ({"host": "my.lan"}, {"host": "x", "origin": "https://my.app"}):
        asked = scope(**request)
        fault = Guard(names=["x"]).fault(Asking(asked), asked)
        assert fault is not None
        assert ("allowed_hosts = my.lan" if "origin" not in request else "allowed_origins") in str(
            fault
        )
    asked = scope(host="<script>\x1b[2J")
    fault = GUARD.fault(Asking(asked), asked)
    assert fault is not None
    assert "\x1b" not in str(fault)


def swap(**more: Any) -> Access:
    return Access(Engine(SwapConfig("", **more)))


def test_in_llama_swaps_place_only_management_is_looked_at() -> None:
    access = swap(allowed_hosts=("models.lan",), allowed_origins=("https://chat.test",))
    for headers in (
        {"host": "evil.test"},
        {"host": "localhost", "origin": "https://evil.test"},
        {"host": "localhost", "sec_fetch_site": "cross-site"},
    ):
        access.enter(scope(**headers))
        access.check(scope(**headers))
        with pytest.raises(Forbidden):
            access.check(scope(**headers), admin=True)
    access.check(scope(host="models.lan"), admin=True)
    access.check(scope(host="localhost", origin="https://chat.test"), admin=True)
    other = scope(peer="172.18.0.3", host="llama-swap:8080")
    access.check(other, admin=True)  # by whatever name a network of containers has for it


def test_in_llama_swaps_place_a_key_lifts_that_and_a_browsers_password_does_not() -> None:
    key = ApiKey(sha256(b"secret").hexdigest())
    access = swap(api_keys=(key,))
    far = {"host": "evil.test", "origin": "https://evil.test"}
    access.check(scope(**far, authorization="Bearer secret"), admin=True)
    access.check(scope(**far, x_api_key="secret"), admin=True)
    with pytest.raises(Forbidden):
        access.check(scope(**far, authorization="Basic eDpzZWNyZXQ="), admin=True)
    access.check(scope(host="localhost", authorization="Basic eDpzZWNyZXQ="), admin=True)
    with pytest.raises(Unauthorized):
        access.check(scope(host="localhost"), admin=True)


@pytest.mark.parametrize(
    ("request_", "local"),
    [
        ({"host": "127.0.0.1:1"}, True),
        ({"host": "localhost", "peer": "::1"}, True),
        ({"host": "localhost", "peer": "::ffff:127.0.0.1"}, True),
        ({"host": "192.168.1.2"}, False),
        ({"host": "box.lan"}, False),
        ({}, False),
        ({"host": "localhost", "peer": "192.168.1.9"}, False),
        ({"host": "localhost", "x_forwarded_for": "127.0.0.1"}, False),
        ({"host": "localhost", "forwarded": "for=127.0.0.1"}, False),
        ({"host": "localhost", "x_real_ip": ""}, False),
        ({"host": "localhost", "via": "1.1 proxy"}, False),
    ],
)
def test_who_counts_as_this_machine(request_: dict[str, str], local: bool) -> None:
    """docs/decisions/0012."""
    assert Asking(scope(**request_)).local is local


def test_a_socket_without_an_address_is_not_this_machine() -> None:
    assert not Asking({**scope(host="localhost"), "client": None}).local
    assert not Asking({**scope(host="localhost"), "http_version": "1.0"}).local
