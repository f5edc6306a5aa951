"""Where a stack listens: never in the network without a key, never past the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.stack import Settings
from llmstack.config.workdir import WorkDir
from llmstack.errors import ConfigError, DaemonError
from llmstack.server.doorways import Doorways, check_doorways, inner_url, own_address
from llmstack.server.key_file import add_key
from tests.http1.certificate import self_signed

if TYPE_CHECKING:
    from pathlib import Path

EVERYWHERE = "0.0.0.0"


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.2", "box.lan"])
def test_the_network_is_let_in_with_a_key_that_counts(work: WorkDir, host: str) -> None:
    settings = Settings(router_host=host)
    with pytest.raises(DaemonError, match="there is no API key") as refused:
        check_doorways(work, settings, {})
    assert "llmstack keys add" in refused.value.fix
    add_key(work.keys, "old", now=0, expires=1)
    with pytest.raises(DaemonError, match="every API key has expired"):
        check_doorways(work, settings, {})
    check_doorways(work, settings, {"API_KEYS": "one-of-the-environment"})
    check_doorways(work, Settings(router_host=host, insecure=True), {})
    add_key(work.keys, "new", now=0)
    check_doorways(work, settings, {})


def test_this_machine_is_let_in_without_a_key(work: WorkDir) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        check_doorways(work, Settings(router_host=host), {})


def test_a_source_that_is_broken_stops_the_start(work: WorkDir) -> None:
    with pytest.raises(ConfigError):
        check_doorways(work, Settings(), {"API_KEYS": "no-key"})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"host": EVERYWHERE}, "refusing to let model servers listen"),
        ({"tls_cert_file": "x"}, "a certificate and its key"),
        ({"tls_cert_file": "/nope", "tls_key_file": "/nope"}, "cannot be used for TLS"),
        ({"engine": "llama-swap", "router_host": "192.168.1.2"}, "engine = llama-swap"),
    ],
)
def test_what_would_leave_a_way_round_is_refused(
    work: WorkDir, settings: dict[str, Any], problem: str
) -> None:
    add_key(work.keys, "a", now=0)
    with pytest.raises(DaemonError, match=problem):
        check_doorways(work, Settings(**settings), {})


def test_the_engines_door_never_leaves_loopback() -> None:
    doorways = Doorways(Settings(router_host=EVERYWHERE), 0, 0)
    try:
        outer, inner = (opened.getsockname() for opened in doorways.sockets)
        assert outer[0] == EVERYWHERE
        assert inner[0] == "127.0.0.1"
        assert doorways.gateway == f"http://127.0.0.1:{outer[1]}"
        assert doorways.public == f"http://{own_address()}:{outer[1]}"
        assert not doorways.door_is_gateway
    finally:
        doorways.close()


def test_with_tls_the_engines_port_is_the_gateway_of_this_machine(tmp_path: Path) -> None:
    pem = str(self_signed(tmp_path))
    settings = Settings(tls_cert_file=pem, tls_key_file=pem)
    doorways = Doorways(settings, 0, 0)
    try:
        assert doorways.door_is_gateway
        assert doorways.gateway == doorways.door
        assert doorways.gateway.startswith("http://127.0.0.1:")
        assert doorways.public.startswith("https://127.0.0.1:")
        assert doorways.plain == doorways.sockets[1:]
    finally:
        doorways.close()
    assert inner_url(settings) == "http://127.0.0.1:10102"


def test_of_two_doors_that_cannot_both_be_opened_none_stays_open() -> None:
    first = Doorways(Settings(), 0, 0)
    try:
        taken = first.sockets[1].getsockname()[1]
        with pytest.raises(DaemonError, match=f"port {taken} on 127.0.0.1 is taken"):
            Doorways(Settings(), 0, taken)
    finally:
        first.close()
