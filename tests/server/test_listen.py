"""Ports are taken before anything else, and only where nobody from outside can reach them."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import DaemonError
from llmstack.server.listen import free_row, is_loopback, listen
from llmstack.server.stack import RunningStack
from tests.server.house import fake, plan_for, side_by_side

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "10.0.0.1", "example.org", "", "127.0.0.1.evil.org"]
)
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    """W34, promise 6: loopback by default; there are no keys yet that could open it."""
    with pytest.raises(DaemonError, match="refusing to listen") as refused:
        listen(host, 0, "gateway")
    assert refused.value.fix


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.7.6", "::1", "localhost"])
def test_this_machines_own_names_are_loopback(host: str) -> None:
    assert is_loopback(host)


def test_a_taken_port_is_named_with_its_holder() -> None:
    """W17: start used to say OK while the router was dead."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(DaemonError, match=rf"gateway: port {port} on 127.0.0.1") as taken:
            listen("127.0.0.1", port, "gateway")
    assert f"(pid {os.getpid()})" in taken.value.what
    assert "another port" in taken.value.fix


@pytest.mark.parametrize("port", [99_999, -1])
def test_what_is_no_port_number_is_refused(port: int) -> None:
    """W17: --port 99999 used to be OK."""
    with pytest.raises(DaemonError, match="is not a port number"):
        listen("127.0.0.1", port, "gateway")


def test_port_zero_takes_a_free_one() -> None:
    with listen("127.0.0.1", 0, "a") as one, listen("127.0.0.1", 0, "b") as other:
        assert one.getsockname()[1] != other.getsockname()[1]


def test_a_port_is_free_again_right_after_its_holder_closed() -> None:
    """With connections of the one before still in TIME_WAIT: a restart must not wait."""
    listener = listen("127.0.0.1", 0, "a")
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)) as client:
        listener.setblocking(True)
        served, _ = listener.accept()
        served.close()  # the server's side closes first and keeps the port in TIME_WAIT
        assert client.recv(1) == b""
    listener.close()
    listen("127.0.0.1", port, "a").close()


@pytest.mark.parametrize("which", ["gateway", "engine"])
def test_a_stack_whose_port_is_taken_names_it_and_keeps_no_other(
    tmp_path: Path, which: str
) -> None:
    plan = plan_for(tmp_path, side_by_side(fake("m", 1)))
    with socket.socket() as holder, socket.socket() as other:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        other.bind(("127.0.0.1", 0))
        taken, free = holder.getsockname()[1], other.getsockname()[1]
        other.close()
        ports = {"gateway_port": free, "engine_port": free, f"{which}_port": taken}
        with pytest.raises(DaemonError, match=f"{which}: port {taken}"):
            RunningStack(plan, **ports)
        listen("127.0.0.1", free, "a").close()


def test_two_doors_on_one_port_are_refused(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(DaemonError, match=f"engine: port {port}"):
        RunningStack(
            plan_for(tmp_path, side_by_side(fake("m", 1))), gateway_port=port, engine_port=port
        )


def test_a_row_of_free_ports_steps_over_those_that_are_taken() -> None:
    first = free_row(23_000, 6)
    taken = [listen("127.0.0.1", first + at, "test") for at in (0, 3)]
    try:
        assert free_row(first, 1) == first + 1
        assert free_row(first, 2) == first + 1
        assert free_row(first, 3) > first + 3
    finally:
        for one in taken:
            one.close()
    with pytest.raises(DaemonError, match="no 10 ports"):
        free_row(65_530, 10)
