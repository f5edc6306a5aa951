"""The life of the embedded server's process: questions, loading, serving, leaving.

The binding's ``Server`` holds the interpreter's lock while a model loads and while it is
destroyed, and its destructor waits for running streams up to an SSE ping. So signals keep their
system default (kill at once) until the model is loaded, and afterwards end the process without
the destructor: there is nothing to save, and the system frees memory, devices and sockets.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.errors import EngineMissing, LlmstackError
from llmstack.llama_server.arguments import parse
from llmstack.llama_server.cores import inference_threads
from llmstack.llama_server.flags import CHAPTERS
from llmstack.llama_server.params import common_params
from llmstack.llama_server.refusal import check_model, refusal
from llmstack.llama_server.usage import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(argv: Sequence[str]) -> int:
    """Serve until a signal ends the process, or answer ``--version`` and the like.

    Returns the exit status: 0, or 1 after one line on stderr that says what is wrong. While a
    model loads, a signal kills the process (status -15 or -2); afterwards it ends with 0.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    try:
        return _run(argv)
    except LlmstackError as error:
        reason = f": {error.why}" if error.why else ""
        remedy = f"; {error.fix}" if error.fix else ""
        _say(f"error: {error.what}{reason}{remedy}")
        return 1


def _say(line: str) -> None:
    # In one piece: llama.cpp logs to the same stream from a thread of its own.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _run(argv: Sequence[str]) -> int:
    arguments = parse(argv, os.environ)
    for note in arguments.notes:
        _say(note)
    if arguments.question == "help":
        print(usage(CHAPTERS))
        return 0
    x = _binding()
    if arguments.question == "version":
        print("\n".join(version_lines(x)))
        return 0
    if arguments.question == "list-devices":
        print("\n".join(device_lines(x.get_device_info())))
        return 0
    params = common_params(x, arguments.values, inference_threads())
    downloads = params.model.hf_repo or params.model.docker_repo or params.model.url
    if not downloads:
        check_model(params.model.path)
    return _serve(x, params)


def _binding() -> Any:
    """Import ``xllamacpp``.

    :raises EngineMissing: there is no wheel of it for this platform.
    """
    # Idle OpenMP threads spin by default; when other processes want the cores, that spinning is
    # what the model waits for. Read once, when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        raise EngineMissing(
            "the embedded llama-server cannot run here",
            why=f"the package xllamacpp cannot be imported ({error})",
            fix="install llama.cpp's llama-server on PATH, or name it in llama_server_bin",
        ) from None


def version_lines(x: Any) -> list[str]:
    """Lines such as ``version: xllamacpp 2026.10.11549 (llama.cpp b11549)``.

    The wheel's last version component is llama.cpp's build number.
    """
    build = str(x.__version__).rpartition(".")[2]
    known = f" (llama.cpp b{build})" if build.isdigit() else ""
    info = x.BUILD_INFO
    return [
        f"version: xllamacpp {x.__version__}{known}",
        f"built with {info['compiler']} for {info['build_target']}",
    ]


def device_lines(devices: Sequence[dict[str, Any]]) -> list[str]:
    """llama-server's own ``--list-devices`` lines: all devices but the CPU, sizes in MiB."""
    mib = 1024 * 1024
    lines = [
        f"  {device['name']}: {device['description']} "
        f"({device['memory_total'] // mib} MiB, {device['memory_free'] // mib} MiB free)"
        for device in devices
        if not str(device["type"].name).endswith("_CPU")
    ]
    return ["Available devices:", *(lines or ["  (none)"])]


def _serve(x: Any, params: Any) -> int:
    """Load the model and serve it until a signal ends the process.

    :raises LlmstackError: llama.cpp did not start the server.
    """
    try:
        server = x.Server(params)  # answers in threads of its own
    except RuntimeError:
        raise refusal(params) from None
    sockets = [Path(host) for host in params.hostnames if host.endswith(".sock")]

    def leave(_number: int, _frame: object) -> None:
        try:
            for path in sockets:
                path.unlink(missing_ok=True)
        finally:
            os._exit(0)

    # A signal that came between two instructions would not wake a plain sleep, and be lost.
    wakeful, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in SIGNALS:
        signal.signal(number, leave)
    _say(f"llama-server: ready on {server.listening_address}")
    while server is not None:  # it lives as long as it is referenced
        wakeful.recv(1)
    return 0
