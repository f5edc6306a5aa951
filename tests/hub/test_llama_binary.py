"""Finding a llama-server and asking it what it can do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import EngineMissing
from llmstack.hub.llama_binary import (
    Device,
    EngineReport,
    LlamaServer,
    describe,
    find_llama_server,
    parse_devices,
)

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3


def nowhere(name: str) -> str | None:
    return None


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_setting_wins_over_the_variable_over_path_over_the_embedded_one(
    tmp_path: Path,
) -> None:
    one = str(program(tmp_path / "one", ""))
    two = str(program(tmp_path / "two", ""))
    environ = {"LLAMA_SERVER_BIN": two}
    found = [
        find_llama_server(one, environ, lambda _: "/bin/three"),
        find_llama_server(None, environ, lambda _: "/bin/three"),
        find_llama_server("", {}, lambda _: "/bin/three"),
        find_llama_server(None, {}, nowhere),
    ]
    assert found == [
        LlamaServer((one,), "llama_server_bin"),
        LlamaServer((two,), "LLAMA_SERVER_BIN"),
        LlamaServer(("/bin/three",), "PATH"),
        LlamaServer((sys.executable, "-P", "-m", "llmstack.llama_server"), "embedded"),
    ]


def test_a_bare_name_is_looked_up_on_path() -> None:
    found = find_llama_server("llama-cuda", {}, {"llama-cuda": "/opt/llama-cuda"}.get)
    assert found.argv == ("/opt/llama-cuda",)


@pytest.mark.parametrize("setting", ["llama_server_bin", "LLAMA_SERVER_BIN"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/nonexistent/llama-server", "there is no such file"),
        ("/", "it is a directory"),
        (__file__, "it is not executable"),
        ("llama-cuda", "there is no such program on PATH"),
    ],
)
def test_what_the_user_names_is_never_replaced(setting: str, name: str, why: str) -> None:
    configured = name if setting == "llama_server_bin" else None
    with pytest.raises(EngineMissing) as caught:
        find_llama_server(configured, {"LLAMA_SERVER_BIN": name}, nowhere)
    assert caught.value.what == f"{setting} names {name}, which cannot be run"
    assert caught.value.why == why
    assert setting in caught.value.fix


def test_devices_are_read_among_log_lines() -> None:
    lines = [
        "ggml_cuda_init: found 1 CUDA devices:",
        "  Device 0: NVIDIA GeForce RTX 4090, compute capability 8.9, VMM: yes",
        "Available devices:",
        "  CUDA0: NVIDIA GeForce RTX 4090 (24576 MiB, 23552 MiB free)",
        "  MTL0: Apple M3 Max (49152 MiB, 49152 MiB free)",
        "  BLAS: OpenBLAS (0 MiB, 0 MiB free)",
    ]
    assert parse_devices(lines) == (
        Device("CUDA0", "cuda", 24 * GIB, 23 * GIB, "NVIDIA GeForce RTX 4090"),
        Device("MTL0", "metal", 48 * GIB, 48 * GIB, "Apple M3 Max"),
        Device("BLAS", "blas", None, None, "OpenBLAS"),
    )


def test_a_machine_without_devices_has_none() -> None:
    assert parse_devices(["Available devices:", "  (none)"]) == ()


def test_a_real_llama_servers_version_is_read_from_stderr(tmp_path: Path) -> None:
    path = program(
        tmp_path / "llama-server",
        "if '--version' in sys.argv:\n"
        "    print('version: 5234 (6f67cf1f)', file=sys.stderr)\n"
        "    print('built with cc for x86_64-linux-gnu', file=sys.stderr)\n"
        "else:\n"
        "    print('  Vulkan0: GPU (1024 MiB, 512 MiB free)')",
    )
    assert describe(LlamaServer((str(path),), "PATH")) == EngineReport(
        "5234 (6f67cf1f)", (Device("Vulkan0", "vulkan", GIB, GIB // 2, "GPU"),)
    )


def test_an_old_llama_server_without_list_devices_has_no_devices(tmp_path: Path) -> None:
    script = "print('version: 1 (a)') if '--version' in sys.argv else sys.exit(1)"
    path = program(tmp_path / "llama-server", script)
    assert describe(LlamaServer((str(path),), "PATH")) == EngineReport("1 (a)", ())


def test_one_that_fails_is_an_error_in_its_own_words(tmp_path: Path) -> None:
    path = program(tmp_path / "llama-server", "sys.exit('libcuda.so.1: cannot open')")
    with pytest.raises(EngineMissing) as caught:
        describe(LlamaServer((str(path),), "PATH"))
    assert caught.value.why == "libcuda.so.1: cannot open"


def test_one_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="cannot be run"):
        describe(LlamaServer((str(tmp_path / "gone"),), "PATH"))


def test_one_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    path = program(tmp_path / "llama-server", "time.sleep(60)")
    with pytest.raises(EngineMissing, match="does not answer"):
        describe(LlamaServer((str(path),), "PATH"), seconds=0.2)


def test_the_embedded_one_reports_itself() -> None:
    pytest.importorskip("xllamacpp")
    report = describe(find_llama_server(None, {}, nowhere))
    assert report.version.startswith("xllamacpp ")
    assert all(device.kind != "cpu" for device in report.devices)
