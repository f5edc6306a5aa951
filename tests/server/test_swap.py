"""``llmstack swap`` as a running process: serving, reloading, ending, leaving nothing behind."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.swaps import Swap, config, swapping

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.top40(40, "nothing is left, exit 0")
def test_a_chat_request_is_answered_and_sigterm_ends_it_with_0(tmp_path: Path) -> None:
    quick = "routing: {scheduler: {settings: {fifo: {minResidency: 0}}}}"
    with swapping(tmp_path, config("a", "b", more=quick)) as swap:
        status, answer = swap.chat("a")
        assert status == 200
        assert answer["choices"][0]["message"]["content"]
        assert swap.chat("b")[0] == 200
        assert [row["model"] for row in swap.ask("/running")[1]["running"]] == ["b"]
        swap.process.terminate()
        assert swap.end() == 0
        swap.nothing_left()
    assert all(re.match(r"\[(DEBUG|INFO|WARN|ERROR)\] .", line) for line in swap.lines), swap.lines


@pytest.mark.top40(32, "no orphan after a crash")
def test_kill_9_leaves_no_orphan(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        assert swap.chat("a")[0] == 200
        assert len(swap.processes()) > 1
        swap.process.kill()
        swap.end()
        swap.nothing_left()


@pytest.mark.top40(40, "answers may end for 30 s")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_answer_ends_before_the_process_does(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Top 40, 40."""
    body = b'{"model": "a", "messages": [], "tokens": 5, "interval_ms": 100, "stream": true}'
    with swapping(tmp_path, config("a")) as swap:
        assert swap.chat("a")[0] == 200
        with socket.create_connection(("127.0.0.1", swap.port)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
            client.sendall(head.encode() + b"\r\ncontent-type: application/json\r\n\r\n" + body)
            seen = client.recv(65536)
            assert b"200 OK" in seen
            swap.process.send_signal(number)
            while piece := client.recv(65536):
                seen += piece
        assert b"[DONE]" in seen
        assert swap.end() == 0
        swap.nothing_left()


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    body = b'{"model": "a", "messages": [], "paced": true, "stream": true}'
    with swapping(tmp_path, config("a")) as swap:
        with socket.create_connection(("127.0.0.1", swap.port)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
            client.sendall(head.encode() + b"\r\ncontent-type: application/json\r\n\r\n" + body)
            client.recv(1)
            swap.process.terminate()
            swap.said("stopping")
            swap.process.send_signal(signal.SIGINT)
            assert swap.end() == 0
        swap.nothing_left()


@pytest.mark.top40(39, "a bad file keeps the old one")
@pytest.mark.top40(39, "SIGHUP")
def test_sighup_brings_a_new_model_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    """Top 40, 39: a bad configuration keeps the old one, a good one takes its place."""
    with swapping(tmp_path, config("a")) as swap:
        assert swap.chat("new")[0] == 404
        (tmp_path / "config.yaml").write_text("startPort: 0\nlogToStdout: nobody\n")
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration not reloaded")
        swap.said("config.yaml:1")
        swap.said("config.yaml:2")
        assert swap.chat("a")[0] == 200
        (tmp_path / "config.yaml").write_text(config("a", "new"))
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration reloaded")
        assert swap.chat("new")[0] == 200
        assert {row["id"] for row in swap.ask("/v1/models")[1]["data"]} == {"a", "new"}
        swap.process.terminate()
        assert swap.end() == 0
        swap.nothing_left()


def test_a_reload_leaves_a_model_alone_that_did_not_change(tmp_path: Path) -> None:
    """Improvement 3: its process goes on, and one whose command changed is replaced."""
    text = config("a", "b", more="groups: {all: {swap: false, exclusive: false, members: [a, b]}}")
    with swapping(tmp_path, text) as swap:
        before = {name: swap.ask(f"/upstream/{name}/x")[1]["pid"] for name in ("a", "b")}
        changed = text.replace("  b:\n    cmd: ", "  b:\n    env: [X=1]\n    cmd: ")
        assert changed != text
        (tmp_path / "config.yaml").write_text(changed)
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration reloaded")
        after = {name: swap.ask(f"/upstream/{name}/x")[1]["pid"] for name in ("a", "b")}
        assert after["a"] == before["a"]
        assert after["b"] != before["b"]


def test_a_reload_reaches_what_is_kept_of_requests(tmp_path: Path) -> None:
    before = "performance: {disabled: true}"
    after = "captureBuffer: 1\nmetricsMaxInMemory: 5"
    with swapping(tmp_path, config("a", more=before)) as swap:
        assert swap.ask("/api/performance")[0] == 503
        (tmp_path / "config.yaml").write_text(config("a", more=after))
        swap.process.send_signal(signal.SIGHUP)
        swap.said("configuration reloaded")
        assert swap.ask("/api/performance")[0] == 200
        assert not any("needs a restart" in line for line in swap.lines)


def test_a_model_that_comes_or_goes_leaves_the_others_and_their_ports_alone(tmp_path: Path) -> None:
    with swapping(tmp_path, config("b", "c")) as swap:
        port = yaml.safe_load((tmp_path / "config.yaml").read_text())["startPort"]
        before = swap.ask("/upstream/c/x")[1]
        for models in (("a", "b", "c"), ("a", "c")):
            text = re.sub("startPort: .*", f"startPort: {port}", config(*models))
            (tmp_path / "config.yaml").write_text(text)
            swap.process.send_signal(signal.SIGHUP)
            swap.until(
                lambda names=set(models): (
                    {row["id"] for row in swap.ask("/v1/models")[1]["data"]} == names
                ),
                lambda: "never reloaded",
            )
            now = swap.ask("/upstream/c/x")[1]
            assert (now["pid"], now["port"]) == (before["pid"], before["port"])


def test_sighup_before_there_is_a_listener_is_a_reload_like_any_other(tmp_path: Path) -> None:
    """It comes while the hardware is asked, say; it must not end the process, nor be lost."""
    script = """
import os, signal
from llmstack.server import swap
start = swap.SwapServer.start
async def slow(self):
    os.kill(os.getpid(), signal.SIGHUP)
    await start(self)
swap.SwapServer.start = slow
from llmstack.cli import main
main()
"""
    with swapping(tmp_path, config("a"), script=script) as swap:
        swap.said("configuration reloaded")
        assert swap.chat("a")[0] == 200
        swap.process.terminate()
        assert swap.end() == 0


def test_what_does_not_end_in_time_is_ended_by_the_back_stop(tmp_path: Path) -> None:
    """Exit status 1, and the guard sees to the models."""
    script = """
from llmstack.server import swap
swap.BACK_STOP = 0.5
from llmstack.cli import main
main()
"""
    stubborn = config("a").replace("--port", "--ignore-sigterm --port")
    text = stubborn.replace("    cmd:", "    unloadTimeout: 100\n    cmd:")
    with swapping(tmp_path, text, script=script) as swap:
        assert swap.chat("a")[0] == 200
        swap.process.terminate()
        assert swap.end() == 1
        swap.nothing_left()


def test_a_setting_that_needs_a_restart_is_named(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        (tmp_path / "config.yaml").write_text(config("a", more="logToStdout: both"))
        swap.process.send_signal(signal.SIGHUP)
        swap.said("[WARN] a change of logToStdout needs a restart")


def test_a_reload_changes_the_level_of_the_log(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        (tmp_path / "config.yaml").write_text(config("a", more="logLevel: error"))
        swap.process.send_signal(signal.SIGHUP)
        swap.until(lambda: not _logs(swap, "marked-1"), lambda: "the level stayed")


def _logs(swap: Swap, mark: str) -> bool:
    """Whether a request that carries ``mark`` is logged."""
    swap.ask(f"/upstream/a/{mark}")
    before = len(swap.ask("/logs")[1])
    swap.ask(f"/upstream/a/{mark}")
    return len(swap.ask("/logs")[1]) > before


@pytest.mark.top40(29, "/logs")
def test_the_logs_over_http_are_what_is_shown(tmp_path: Path) -> None:
    """Top 40, 29: /logs holds what goes to standard output, by default our own lines."""
    with swapping(tmp_path, config("a")) as swap:
        assert swap.chat("a")[0] == 200
        assert "[INFO] llmstack swap listening on" in swap.ask("/logs")[1]
        swap.until(lambda: "a: ready" in swap.ask("/logs")[1], lambda: "no line of the model")


def test_every_request_has_one_line_as_llama_swap_writes_it(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        assert swap.chat("a")[0] == 200
        assert swap.chat("nobody")[0] == 404
        for path in ("/health?x=secret", "/wol-health", "/metrics", "/upstream/a/b"):
            swap.ask(path)
        swap.said("GET /upstream/a/b HTTP/1.1")
    told = [line for line in swap.lines if "Request " in line]
    line = re.compile(r'\[INFO\] Request 127\.0\.0\.1 "(.*) HTTP/1\.1" (\d+) \d+ "" \d[^ ]*s')
    found = [line.fullmatch(text) for text in told]
    assert [match and match.groups() for match in found] == [
        ("POST /v1/chat/completions", "200"),
        ("POST /v1/chat/completions", "404"),
        ("GET /health", "200"),
        ("GET /upstream/a/b", "200"),
    ]
    assert len([text for text in swap.lines if "/v1/chat/completions" in text]) == 2


@pytest.mark.top40(39, "polled every 2 s")
def test_a_changed_file_is_loaded_when_watched(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    flags = ("--watch-config", "--config-dir=more")
    with swapping(tmp_path, config("a"), *flags) as swap:
        (tmp_path / "config.yaml").write_text("models: [")
        swap.said("configuration not reloaded")
        (tmp_path / "config.yaml").write_text(config("a", "new"))
        swap.said("configuration reloaded")
        (tmp_path / "more" / "b.yaml").write_text("models:\n  added:\n    cmd: server ${PORT}\n")
        swap.said("configuration reloaded", times=2)
        rows = swap.ask("/v1/models")[1]["data"]
        assert {row["id"] for row in rows} == {"a", "new", "added"}


def test_models_are_preloaded_in_the_background(tmp_path: Path) -> None:
    hooks = "hooks:\n  on_startup:\n    preload: [a, missing]"
    with swapping(tmp_path, config("a", "b", more=hooks)) as swap:
        swap.said("a: ready after")
        swap.said("unknown model 'missing'")
        assert swap.ask("/running")[1]["running"][0]["state"] == "ready"


def test_a_bare_port_is_open_to_this_machine_only_and_says_so(tmp_path: Path) -> None:
    """Decision 5: a bare port means every address only once there are keys."""
    with swapping(tmp_path, config("a"), address=":{port}") as swap:
        swap.said(f"[INFO] llmstack swap listening on http://127.0.0.1:{swap.port}")
        swap.said("only this machine can connect")
        assert swap.ask("/health") == (200, "OK")


@pytest.mark.parametrize("more", ["apiKeys: [sk-something-secret]", ""])
def test_a_bare_port_is_open_to_the_network_with_keys_or_on_request(
    more: str, tmp_path: Path
) -> None:
    flags = () if more else ("-insecure",)
    with swapping(tmp_path, config("a", more=more), *flags, address=":{port}") as swap:
        swap.said("the network can connect")
        assert swap.ask("/health") == (200, "OK")
        assert swap.ask("/v1/models")[0] == (401 if more else 200)


def test_an_open_port_stays_with_its_keys_across_a_reload(tmp_path: Path) -> None:
    keys = "apiKeys: [sk-something-secret]"
    with swapping(tmp_path, config("a", more=keys), address=":{port}") as swap:
        (tmp_path / "config.yaml").write_text(config("a"))
        swap.process.send_signal(signal.SIGHUP)
        swap.said("it has no apiKeys")


def test_log_lines_have_the_wanted_level_time_and_target(tmp_path: Path) -> None:
    more = "logLevel: debug\nlogTimeFormat: rfc3339\nlogToStdout: both"
    text = config("a", more=more).replace("--port", "--print 'a line of its own' --port")
    with swapping(tmp_path, text) as swap:
        swap.said(f"[DEBUG] pid {swap.process.pid}")
        assert swap.chat("a")[0] == 200
        swap.said("a line of its own")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) \[INFO\] ", swap.lines[0])


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate with openssl")
def test_tls_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    flags = ("-tls-cert-file", "cert.pem", "-tls-key-file", "key.pem")
    with swapping(tmp_path, config("a"), *flags) as swap:
        swap.said("listening on https://")
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": "a", "messages": messages}
        assert swap.ask("/v1/chat/completions", body, tls=trust)[0] == 200


def test_a_reload_that_is_under_way_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with swapping(tmp_path, config("a")) as swap:
        assert isinstance(swap, Swap)
        assert swap.chat("a")[0] == 200
        for _ in range(5):
            swap.process.send_signal(signal.SIGHUP)
        swap.process.terminate()
        assert swap.end() == 0
        swap.nothing_left()
