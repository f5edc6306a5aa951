"""``kill -9`` of a model process, of the daemon, of a client: each leaves a clear state."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.e2e.conftest import REPOSITORY
from tests.e2e.stack import Stack, assert_nothing_left, eventually, models_ini, processes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: An answer that goes on for many seconds.
LONG: dict[str, Any] = {
    "model": "code-smart",
    "messages": [{"role": "user", "content": "hello"}],
    "max_tokens": 100_000,
    "ignore_eos": True,
    "temperature": 1.0,
}

CHAT = "/v1/chat/completions"


@pytest.fixture
def stack(tmp_path: Path, tinywords_path: Path) -> Iterator[Stack]:
    """A daemon with a small and an agent tier."""
    model = {"path": str(tinywords_path), "size_gb": "0.1", "ctx_size": "131072"}
    tiers = {"code-fast": {"role": "fast", **model}, "code-smart": {"role": "agent", **model}}
    with Stack(tmp_path / "work", models_ini(tiers)) as stack:
        stack.start()
        yield stack


def answers(stack: Stack, model: str = "code-smart") -> bool:
    """Whether a short question is answered."""
    answer = stack.chat(model, "hello", max_tokens=8)
    assert answer.status == 200, answer.body
    return bool(answer.json()["choices"][0]["message"]["content"])


def events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """The JSON events of a stream until it ends."""
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def busy_slots(stack: Stack, model: str = "code-smart") -> int:
    """How many slots of a model's llama-server generate now, as that server says."""
    rows = stack.request("GET", f"/upstream/{model}/slots").json()
    return sum(row["is_processing"] for row in rows)


def idle(process: psutil.Process) -> bool:
    """Whether ``process`` uses next to no processor time for a moment."""
    return process.cpu_percent(interval=0.2) < 10


def test_a_model_killed_while_it_streams_gives_an_error_event_and_the_next_request_restarts_it(
    stack: Stack,
) -> None:
    with stack.stream(CHAT, LONG) as response:
        assert response.status == 200
        stream = events(response)
        assert "choices" in next(stream)
        killed = stack.model("code-smart")
        assert killed["state"] == "ready"
        assert killed["in_flight"] == 1
        os.kill(killed["pid"], signal.SIGKILL)
        *_, last = stream
    assert "broke off" in last["error"]["message"]
    assert last["error"]["code"] == "bad_gateway"
    eventually(lambda: stack.model_state("code-smart") == ("stopped", 0), "the state is clear")
    assert stack.model("code-smart")["pid"] is None
    assert stack.status()["ready"]
    assert answers(stack)
    assert stack.model("code-smart")["pid"] != killed["pid"]


def test_a_model_killed_before_the_first_byte_gives_502(stack: Stack) -> None:
    assert answers(stack)
    pid = stack.model("code-smart")["pid"]
    got = []
    asking = threading.Thread(target=lambda: got.append(stack.request("POST", CHAT, LONG)))
    asking.start()
    try:
        eventually(lambda: busy_slots(stack), "it generates")
    finally:
        os.kill(pid, signal.SIGKILL)
        asking.join(60)
    (answer,) = got
    assert answer.status == 502
    assert answer.json()["error"]["message"]
    eventually(lambda: stack.model_state("code-smart") == ("stopped", 0), "the state is clear")
    assert answers(stack)


def test_a_model_killed_while_idle_is_noticed_and_the_next_request_restarts_it(
    stack: Stack,
) -> None:
    pid = stack.model("code-fast")["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: stack.model_state("code-fast") == ("stopped", 0), "it is noticed", 5)
    assert answers(stack, "code-fast")
    assert stack.model("code-fast")["pid"] not in (pid, None)


def test_requests_in_the_moment_of_the_kill_are_answered_or_refused_but_never_stuck(
    stack: Stack,
) -> None:
    def answered() -> bool:
        answer = stack.chat("code-fast", "hello", max_tokens=8)
        assert answer.status in {200, 502}
        assert "choices" in answer.json() or answer.json()["error"]["message"]
        return answer.status == 200

    for _ in range(5):
        assert answered()
        os.kill(stack.model("code-fast")["pid"], signal.SIGKILL)
        eventually(answered, "the next requests restart it", 10)
        eventually(lambda: stack.model_state("code-fast") == ("ready", 0), "nobody holds it")


def test_a_killed_daemon_takes_its_models_along_and_can_be_started_again(stack: Stack) -> None:
    pid = stack.status()["pid"]
    with stack.stream(CHAT, LONG) as response:
        assert response.readline()
        models = [stack.model(name)["pid"] for name in ("code-fast", "code-smart")]
        assert set(models) <= {process.pid for process in processes_of(stack.root)}
        os.kill(pid, signal.SIGKILL)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
    assert_nothing_left(stack.root)
    assert not stack.listening()
    down = stack.command("status")
    assert down.returncode == 1
    assert "down" in down.stdout
    stack.start()
    assert answers(stack)


def test_a_daemon_killed_while_a_model_loads_leaves_nothing(stack: Stack) -> None:
    eventually(lambda: stack.model("code-smart")["state"] == "stopped", "it is not loaded")
    pid = stack.status()["pid"]

    def ask() -> None:
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            stack.request("POST", CHAT, LONG)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        eventually(lambda: stack.model("code-smart")["state"] != "stopped", "it loads")
    finally:
        os.kill(pid, signal.SIGKILL)
        asking.join(60)
    assert_nothing_left(stack.root)
    assert not stack.listening()
    stack.start()
    assert answers(stack)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_killed_client_frees_its_slot_at_once(
    stack: Stack, tmp_path: Path, streamed: bool
) -> None:
    body = json.dumps({**LONG, "stream": streamed})
    command = [sys.executable, "-m", "tests.e2e.streaming_client", stack.gateway + CHAT, body]
    with (tmp_path / "answer.txt").open("w") as output:
        client = subprocess.Popen(command, cwd=REPOSITORY, stdout=output)
    with client:
        try:
            eventually(lambda: stack.model_state("code-smart") == ("ready", 1), "it is asked")
            eventually(lambda: busy_slots(stack), "it generates")
            if streamed:
                eventually((tmp_path / "answer.txt").read_bytes, "the client reads")
            assert client.poll() is None
        finally:
            client.kill()
    # Not asked for its slots meanwhile: every answer makes it wait longer before it looks whether
    # the client of a plain request is still there.
    model = psutil.Process(stack.model("code-smart")["pid"])
    eventually(lambda: idle(model), "llama-server stopped generating", 5)
    assert busy_slots(stack) == 0
    (row,) = [row for row in stack.status()["models"] if row["id"] == "code-smart"]
    assert (row["state"], row["in_flight"]) == ("ready", 0)
    assert answers(stack)
    eventually(
        lambda: any(f"{CHAT} code-smart 499 " in line for line in stack.requests_logged()),
        "the log says that the client left",
    )
