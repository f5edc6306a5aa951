"""Why the server did not start, in words for the user."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC = b"GGUF"


def check_model(path: str) -> None:
    """Make sure that ``path`` is a file that looks like a GGUF model.

    :raises LlmstackError: it does not.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(MAGIC))
    except OSError as error:
        raise LlmstackError(
            f"the model {path} cannot be read",
            why=error.strerror or str(error),
            fix="check the path after -m",
        ) from None
    if magic != MAGIC:
        raise LlmstackError(
            f"{path} is not a GGUF model",
            why="its first bytes are not 'GGUF'",
            fix="download it again, or convert it to GGUF",
        )


def refusal(params: Any) -> LlmstackError:
    """Find out what stood in the way of a server with ``params`` that llama.cpp did not start."""
    if taken := _taken_address(params.hostnames, params.port):
        return taken
    return LlmstackError(
        f"llama.cpp could not load {params.model.hf_repo or params.model.path}",
        why="its own message is in the lines above",
        fix="the file may be damaged, too new for this llama.cpp, or too big for the memory",
    )


def _taken_address(hosts: Iterable[str], port: int) -> LlmstackError | None:
    for host in hosts:
        if host.endswith(".sock"):
            if Path(host).exists():
                return LlmstackError(
                    f"cannot listen on {host}",
                    why="the socket exists",
                    fix="stop the server that owns it, or remove it",
                )
            continue
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                # As llama.cpp's listener does: a port in TIME_WAIT is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            return LlmstackError(
                f"cannot listen on {host}:{port}",
                why="the port is in use" if in_use else error.strerror or str(error),
                fix="stop the program that uses it, or choose another --port"
                if in_use
                else "check --host and --port",
            )
    return None
