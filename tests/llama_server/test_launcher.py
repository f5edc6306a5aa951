"""The embedded server's process, from start to end, with a real model."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.llama_server.process import LlamaServerProcess, ask

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("xllamacpp")

ENDING = [signal.SIGTERM, signal.SIGINT]


def server(model: Path, *argv: str) -> LlamaServerProcess:
    return LlamaServerProcess("-m", str(model), "--port", "0", "-t", "1", "-c", "2048", *argv)


def test_version_names_the_wheel_and_llama_cpp() -> None:
    answer = ask("--version")
    assert answer.returncode == 0
    assert answer.stdout.startswith("version: xllamacpp ")
    assert "(llama.cpp b" in answer.stdout


def test_list_devices_answers_in_llama_servers_form() -> None:
    answer = ask("--list-devices")
    assert answer.returncode == 0
    first, *rest = answer.stdout.splitlines()
    assert first == "Available devices:"
    assert rest
    assert all(line.startswith("  ") for line in rest)


def test_help_needs_no_model() -> None:
    answer = ask("--help")
    assert answer.returncode == 0
    assert "--ctx-size" in answer.stdout


def test_the_package_imports_nothing_else_of_the_project() -> None:
    program = (
        "import sys, llmstack.llama_server.launcher;"
        "print(*(m for m in sys.modules if m.startswith('llmstack')), 'xllamacpp' in sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert modules.pop() == "False"
    assert {m for m in modules if not m.startswith("llmstack.llama_server")} == {
        "llmstack",
        "llmstack.errors",
    }


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_an_idle_server_with_status_0(
    tinywords_path: Path, number: signal.Signals
) -> None:
    with server(tinywords_path) as running:
        running.wait_until_ready().process.send_signal(number)
        assert running.process.wait(2) == 0


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_server_that_streams(tinywords_path: Path, number: signal.Signals) -> None:
    with server(tinywords_path) as running:
        body = {"prompt": "the", "n_predict": -1, "ignore_eos": True, "stream": True}
        with running.wait_until_ready().open("/completion", body) as stream:
            assert stream.readline().startswith(b"data: ")
            running.process.send_signal(number)
            assert running.process.wait(2) == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe makes loading last")
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_kills_a_server_that_loads(
    tinywords_path: Path, tmp_path: Path, number: signal.Signals
) -> None:
    adapter = tmp_path / "adapter.gguf"
    os.mkfifo(adapter)
    with server(tinywords_path, "--lora", str(adapter)) as running:
        running.wait_until_loading()
        running.process.send_signal(number)
        assert running.process.wait(2) == -number


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe makes loading last")
def test_health_is_503_while_the_model_loads(tinywords_path: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    os.mkfifo(adapter)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with server(tinywords_path, "--lora", str(adapter), "--port", str(port)) as running:
        running.wait_until_loading()
        running.base = f"http://127.0.0.1:{port}"
        status, answer = running.request("/health")
        assert status == 503
        assert answer["error"]["message"] == "Loading model"


def test_health_is_200_when_it_serves(tinywords_path: Path) -> None:
    with server(tinywords_path) as running:
        assert running.wait_until_ready().request("/health") == (200, {"status": "ok"})


def test_a_taken_port_is_an_error_that_names_it(tinywords_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = ask("-m", str(tinywords_path), "--port", str(port), "-t", "1")
    assert answer.returncode == 1
    assert (
        f"error: cannot listen on 127.0.0.1:{port}: the port is in use; "
        "stop the program that uses it, or choose another --port\n"
    ) in answer.stderr


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    answer = ask("-m", str(tmp_path / "none.gguf"), "--port", "0")
    assert answer.returncode == 1
    assert answer.stderr == (
        f"error: the model {tmp_path}/none.gguf cannot be read: "
        "No such file or directory; check the path after -m\n"
    )


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    answer = ask("-m", str(page), "--port", "0")
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert f"{page} is not a GGUF model" in answer.stderr


def test_a_truncated_model_is_an_error_after_llama_cpps_own(
    tinywords_path: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(tinywords_path.read_bytes()[:200_000])
    answer = ask("-m", str(half), "--port", "0", "-t", "1")
    assert answer.returncode == 1
    assert f"error: llama.cpp could not load {half}: " in answer.stderr


def test_no_model_is_an_error() -> None:
    answer = ask("--port", "0")
    assert answer.returncode == 1
    assert answer.stderr == "error: no model is named; add -m FILE, or -hf ORG/NAME\n"


def test_unknown_and_old_options_are_noted_and_do_not_stop_it(tinywords_path: Path) -> None:
    with server(tinywords_path, "--frobnicate", "3", "--no-mmap", "--draft-max", "4") as running:
        assert running.wait_until_ready().request("/health")[0] == 200
        assert running.stderr[:3] == [
            "ignored: --frobnicate 3",
            "note: --no-mmap is now --load-mode none",
            "note: --draft-max is now --spec-draft-n-max",
        ]


def test_the_environment_names_the_address(tinywords_path: Path) -> None:
    with LlamaServerProcess(
        "-m", str(tinywords_path), "-t", "1",
        env={"LLAMA_ARG_PORT": "0", "LLAMA_ARG_CTX_SIZE": "512"},
    ) as running:  # fmt: skip
        _, props = running.wait_until_ready().request("/props")
        assert props["default_generation_settings"]["n_ctx"] == 512


def test_a_missing_wheel_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('no wheel')")
    paths = filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))
    answer = ask("--version", env={"PYTHONPATH": os.pathsep.join(paths)})
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: the embedded llama-server cannot run here")
    assert "install llama.cpp's llama-server" in answer.stderr


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Unix sockets")
def test_its_unix_socket_goes_with_it(tinywords_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    argv = ("-m", str(tinywords_path), "--host", str(path), "-t", "1", "-c", "512")
    with LlamaServerProcess(*argv) as running:
        assert running.wait_until_ready().base == f"unix://{path}"
        assert path.exists()
        running.process.terminate()
        assert running.process.wait(2) == 0
        assert not path.exists()
