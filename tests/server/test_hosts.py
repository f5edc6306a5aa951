"""Names in requests: which are this machine's, whatever a page makes a browser write."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.server.hosts import (
    host_of_origin,
    is_address,
    is_loopback_name,
    is_loopback_peer,
    matches,
    name_of,
)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"localhost", "localhost"),
        (b"LocalHost:10101", "localhost"),
        (b"localhost.", "localhost"),
        (b"127.0.0.1:1", "127.0.0.1"),
        (b"[::1]", "::1"),
        (b"[::1]:80", "::1"),
        (b"my_box.lan:80", "my_box.lan"),
        (b"box:", "box"),
        (b"", ""),
        (b":80", ""),
        (b"::1", ""),
        (b"[::1", ""),
        (b"[::1]x", ""),
        (b"[127.0.0.1]", ""),
        (b"[localhost]", ""),
        (b"localhost:80:80", ""),
        (b"localhost:-1", ""),
        (b"localhost:123456", ""),
        (b"localhost/evil.test", ""),
        (b"evil.test@localhost", ""),
        (b"local host", ""),
        (b"localhost\x00", ""),
        (b"localhost..", ""),
        ("l\u00f6calhost".encode(), ""),
        (b"a" * 300, ""),
    ],
)
def test_a_host_is_a_name_and_perhaps_a_port(host: bytes, name: str) -> None:
    assert name_of(host) == name


@given(st.binary(max_size=300))
def test_any_bytes_have_a_name_that_is_safe_to_show_or_none(host: bytes) -> None:
    name = name_of(host)
    assert name.isascii()
    assert not set(name) & set("/@ \\'\"<>\r\n\x00")
    assert host_of_origin(b"http://" + host) == name


@given(st.ip_addresses(), st.none() | st.integers(0, 65535))
def test_every_address_is_understood(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None
) -> None:
    text = f"[{address}]" if address.version == 6 else str(address)
    name = name_of((text if port is None else f"{text}:{port}").encode())
    assert is_address(name)
    assert ipaddress.ip_address(name) == address


@pytest.mark.parametrize(
    "name", ["localhost", "app.localhost", "127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
)
def test_these_mean_the_machine_itself(name: str) -> None:
    assert is_loopback_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "notlocalhost",
        "0.0.0.0",
        "::",
        "192.168.0.1",
        "::ffff:192.168.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
    ],
)
def test_these_do_not(name: str) -> None:
    assert not is_loopback_name(name)
    assert not is_loopback_peer(name)


def test_a_star_stands_for_what_is_below() -> None:
    allowed = frozenset({"box.lan", "*.example.org"})
    assert matches("box.lan", allowed)
    assert matches("a.b.example.org", allowed)
    assert not matches("example.org", allowed)
    assert not matches("a.box.lan", allowed)
    assert not matches("badexample.org", allowed)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        (b"http://localhost:3000", "localhost"),
        (b"https://[::1]:3000", "::1"),
        (b"tauri://localhost", "localhost"),
        (b"null", ""),
        (b"localhost", ""),
        (b"file://", ""),
        (b"http://localhost@evil.test", ""),
        (b"http://evil.test/localhost", ""),
    ],
)
def test_an_origin_has_the_host_behind_its_scheme(origin: bytes, name: str) -> None:
    assert host_of_origin(origin) == name
