"""A real daemon, started and stopped from outside: what start and stop say is true."""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstack.errors import DaemonError
from llmstack.hub.file_lock import Lock
from llmstack.server.record import living_daemon
from tests.server.daemons import Place, make_place, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstack.server.record import DaemonRecord

pytestmark = [
    # The daemon is meant to outlive the object that started it.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script"),
]

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, DaemonRecord, bool]]:
    """A daemon started in an environment that did harm to the original."""
    place = make_place(tmp_path_factory.mktemp("daemon") / "work")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "WS_PROXY", "HTTPS_PROXY"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("LOG_LEVEL", "info")
        patch.delenv("NO_PROXY", raising=False)
        record, fresh = place.start()
        try:
            yield place, record, fresh
            place.stop()
        finally:
            place.end()


def test_start_returns_when_a_request_would_succeed(
    started: tuple[Place, DaemonRecord, bool],
) -> None:
    """Promise 8. The model that is to be resident is loaded by then, not by the first request."""
    place, record, fresh = started
    assert fresh
    assert record.gateway == f"http://127.0.0.1:{place.gateway}"
    assert record.engine == f"http://127.0.0.1:{place.engine}"
    _, status = place.ask("/api/status")
    assert status["ready"]
    assert [model["state"] for model in status["models"]] == ["ready"]
    assert living_daemon(place.work) == record


def test_no_proxy_of_the_environment_is_used(started: tuple[Place, DaemonRecord, bool]) -> None:
    """W26: with HTTP_PROXY set, all prompts once went to that proxy; here it is a dead address."""
    code, answer = started[0].ask(CHAT, HELLO)
    assert code == 200
    assert answer["choices"][0]["message"]["content"] == "tok0 tok1 tok2"


def test_a_log_level_in_lower_case_is_understood(
    started: tuple[Place, DaemonRecord, bool],
) -> None:
    """W9: LOG_LEVEL=info, the documented default, crashed the router."""
    place = started[0]
    place.ask(CHAT, HELLO)
    log = place.work.logs / "router.log"
    wait_for(
        lambda: log.exists() and "POST /v1/chat/completions code-fast 200" in log.read_text(),
        "the request is not in router.log",
    )


def test_prompts_are_not_logged(started: tuple[Place, DaemonRecord, bool]) -> None:
    """Promise 7."""
    place = started[0]
    secret = "xyzzy-plugh"
    body = {"messages": [{"role": "user", "content": secret}]}
    place.ask(f"{CHAT}?key=hidden-{secret}", body)
    log = place.work.logs / "router.log"
    size = log.stat().st_size if log.exists() else 0
    wait_for(lambda: log.exists() and log.stat().st_size > size, "nothing was logged")
    for file in place.work.logs.iterdir():
        assert secret not in file.read_text()


def test_starting_again_finds_the_daemon_that_runs(
    started: tuple[Place, DaemonRecord, bool],
) -> None:
    place, record, _ = started
    said: list[str] = []
    assert place.start(said.append) == (record, False)
    assert str(record.pid) in " ".join(said)


def test_a_daemon_that_never_tells_how_it_is_is_not_waited_for_without_end(
    started: tuple[Place, DaemonRecord, bool], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    """start waited for ever for one that answered with nothing but errors."""
    place, record, _ = started
    mute = replace(record, gateway=f"http://127.0.0.1:{free_port}")
    monkeypatch.setattr("llmstack.server.lifecycle.living_daemon", lambda _: mute)
    monkeypatch.setattr("llmstack.server.lifecycle.PATIENCE", 0.3)
    with pytest.raises(DaemonError, match="does not tell how it is") as told:
        place.start()
    assert "does not answer" in str(told.value)
    assert "llmstack logs" in str(told.value)


def test_the_generated_configuration_says_so(started: tuple[Place, DaemonRecord, bool]) -> None:
    """Promise 5."""
    text = started[0].work.swap_yaml.read_text()
    assert "do not edit" in text


def test_two_simultaneous_starts_give_one_daemon(place_at: Callable[..., Place]) -> None:
    """W18: both said OK, and one daemon was orphaned. Both are to be told of the same one."""
    place = place_at("--slow-start", "0.5")
    outcomes: list[tuple[DaemonRecord, bool] | BaseException] = []

    def start() -> None:
        try:
            outcomes.append(place.start())
        except BaseException as error:  # noqa: BLE001  the test looks at it
            outcomes.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(isinstance(outcome, tuple) for outcome in outcomes), outcomes
    assert len({outcome[0].pid for outcome in outcomes}) == 1  # type: ignore[index]
    assert sorted(outcome[1] for outcome in outcomes) == [False, False, True]  # type: ignore[index]
    place.stop()
    assert place.nothing_left()


def test_a_model_that_cannot_be_loaded_fails_the_start(place_at: Callable[..., Place]) -> None:
    """With its own last words, and with nothing left behind."""
    place = place_at("--print", "error: tiny.gguf is broken", "--crash-on-start", "7")
    with pytest.raises(DaemonError, match="cannot be loaded") as failed:
        place.start()
    assert "code-fast" in failed.value.why
    assert "status 7" in failed.value.why
    assert "error: tiny.gguf is broken" in failed.value.why
    assert place.nothing_left()


@pytest.mark.parametrize("which", ["gateway", "engine"])
def test_a_taken_port_fails_the_start(place_at: Callable[..., Place], which: str) -> None:
    """W17: start said OK and the router was dead."""
    place = place_at()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", getattr(place, which)))
        holder.listen()
        with pytest.raises(DaemonError, match="did not start") as failed:
            place.start()
    assert f"{which}: port {getattr(place, which)} on 127.0.0.1 is taken" in failed.value.why
    assert str(os.getpid()) in failed.value.why
    assert place.nothing_left()


def test_a_stale_server_on_a_models_port_fails_the_start(place_at: Callable[..., Place]) -> None:
    """It would pass for the model: its health check answers."""
    place = place_at()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", place.model))
        holder.listen()
        with pytest.raises(DaemonError, match="cannot be loaded") as failed:
            place.start()
    assert str(place.model) in failed.value.why
    assert place.nothing_left()


def test_a_faulty_models_ini_is_quoted_in_the_error(place_at: Callable[..., Place]) -> None:
    place = place_at(extra="ctx_size = 10 apples")
    with pytest.raises(DaemonError, match="did not start") as failed:
        place.start()
    assert "10 apples" in failed.value.why
    assert "models.ini" in failed.value.why
    assert "Traceback" not in failed.value.why
    assert place.nothing_left()


def test_a_killed_daemon_takes_its_models_along_and_the_next_start_works(
    place_at: Callable[..., Place],
) -> None:
    """W30: a server that holds tens of gigabytes must not be left over."""
    place = place_at()
    record, _ = place.start()
    daemon = psutil.Process(record.pid)
    os.kill(record.pid, signal.SIGKILL)
    daemon.wait(30)
    assert living_daemon(place.work) is None
    assert not place.stop()
    wait_for(lambda: not place.processes(), "a model was left over")
    again, fresh = place.start()
    assert fresh
    assert again.pid != record.pid
    assert place.ask(CHAT, HELLO)[0] == 200
    place.stop()
    assert place.nothing_left()


def test_a_start_that_is_interrupted_leaves_nothing(place_at: Callable[..., Place]) -> None:
    place = place_at("--slow-start", "600")

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.start(interrupt)
    assert place.nothing_left()


def test_a_start_waits_for_another_one_that_has_only_just_begun(
    place_at: Callable[..., Place],
) -> None:
    """W18: it has the lock but no record yet. It is not an error that it was faster."""
    place = place_at()
    lock = Lock(place.work.daemon_lock)
    assert lock.acquire()
    failures: list[DaemonError] = []

    def start() -> None:
        try:
            place.start()
        except DaemonError as error:
            failures.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    try:
        log = place.work.logs / "daemon.log"
        wait_for(lambda: log.exists() and "just starting" in log.read_text(), "nothing was said")
        wait_for(lambda: not place.processes(), "the second daemon did not end")
        starting.join(0.3)
        assert starting.is_alive()
    finally:
        lock.release()
        starting.join()
    assert "did not start" in failures[0].what
