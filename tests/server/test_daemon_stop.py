"""Stopping a real daemon: answers end, nothing is left, and nobody else is touched."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstack.server import lifecycle
from llmstack.server.record import read_record
from tests.server.daemons import Place, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    # The daemon is meant to outlive the object that started it.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script"),
]


def test_stop_leaves_nothing(place_at: Callable[..., Place]) -> None:
    place = place_at()
    place.start()
    assert len(place.processes()) >= 2
    assert place.stop()
    assert place.nothing_left()
    assert not place.stop()


def test_stop_where_nothing_runs_says_so(place_at: Callable[..., Place]) -> None:
    place = place_at()
    assert not place.stop()
    assert not place.stop(now=True)
    assert place.nothing_left()


ASKED = {
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "paced": True,
    "tokens": 2,
}


class Streaming:
    """A client with a running answer that goes on until it is ended."""

    def __init__(self, place: Place) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", place.gateway, timeout=60)
        self.connection.request("POST", "/v1/chat/completions", json.dumps(ASKED))
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200

    def rest(self) -> str:
        try:
            return self.answer.read().decode()
        except (http.client.HTTPException, OSError) as error:
            return f"cut off: {error!r}"
        finally:
            self.connection.close()


def test_stop_lets_a_running_answer_end(place_at: Callable[..., Place]) -> None:
    place = place_at()
    record, _ = place.start()
    client = Streaming(place)
    stopping = threading.Thread(target=place.stop)
    stopping.start()
    # It has heard of it when it takes no more connections.
    wait_for(lambda: not accepts(place.gateway), "the daemon does not stop")
    assert psutil.pid_exists(record.pid)
    control = http.client.HTTPConnection("127.0.0.1", place.model, timeout=30)
    control.request("POST", "/control", '{"release": 2}')
    with suppress(OSError, http.client.HTTPException):  # it may be stopped at once
        control.getresponse().read()
    control.close()
    assert client.rest().rstrip().endswith("data: [DONE]")
    stopping.join()
    assert place.nothing_left()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_stop_now_does_not_wait_for_a_running_answer(place_at: Callable[..., Place]) -> None:
    place = place_at()
    place.start()
    client = Streaming(place)
    begun = time.monotonic()
    assert place.stop(now=True)
    assert time.monotonic() - begun < 15  # a running answer has 30
    assert re.search("broke off|cut off", client.rest())
    assert place.nothing_left()


def test_stop_now_is_understood_by_a_daemon_that_is_too_busy_to_look_up(
    place_at: Callable[..., Place],
) -> None:
    """Two equal signals that wait for a process are one; it would then wait for the answer."""
    place = place_at()
    record, _ = place.start()
    client = Streaming(place)
    os.kill(record.pid, signal.SIGSTOP)
    stopping = threading.Thread(target=place.stop, kwargs={"now": True})
    stopping.start()
    wait_for(lambda: pending(record.pid), "no signal was sent")
    wait_for(lambda: pending(record.pid) > 1 or not stopping.is_alive(), "only one signal", 5)
    os.kill(record.pid, signal.SIGCONT)
    assert re.search("broke off|cut off", client.rest())
    stopping.join()
    assert place.nothing_left()


def pending(pid: int) -> int:
    """How many different signals wait for a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:  # noqa: PTH123
        found = re.findall(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)", status.read(), re.MULTILINE)
    return sum(int(mask, 16).bit_count() for mask in found)


def test_a_second_signal_ends_running_answers(place_at: Callable[..., Place]) -> None:
    """As a second Ctrl-C does in the foreground."""
    place = place_at()
    record, _ = place.start()
    client = Streaming(place)
    os.kill(record.pid, signal.SIGINT)
    wait_for(lambda: not accepts(place.gateway), "the daemon does not stop")
    os.kill(record.pid, signal.SIGINT)
    assert re.search("broke off|cut off", client.rest())
    assert place.nothing_left()


def test_stop_does_not_remove_the_record_of_the_daemon_that_came_after(
    place_at: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart by somebody else, while we still wait for the old one's end."""
    place = place_at()
    record, _ = place.start()
    successor = replace(record, pid=record.pid + 1)
    really_gone = lifecycle._gone

    def gone(*arguments: object) -> bool:
        ended = really_gone(*arguments)  # type: ignore[arg-type]
        successor.write(place.work.daemon_record)
        return ended

    monkeypatch.setattr(lifecycle, "_gone", gone)
    assert place.stop()
    assert read_record(place.work.daemon_record) == successor


def test_only_the_process_that_was_recorded_is_signalled(
    place_at: Callable[..., Place],
) -> None:
    """W33: a stale pid file once got an unrelated process killed."""
    place = place_at()
    record, _ = place.start()
    other = psutil.Popen(["sleep", "600"])
    try:
        # A record that names somebody else's pid with the daemon's start time.
        replace(record, pid=other.pid, started=record.started - 5).write(place.work.daemon_record)
        assert not place.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    os.kill(record.pid, signal.SIGTERM)
    assert place.nothing_left()
