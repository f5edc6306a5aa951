"""Which llama-server runs the models, and what it can do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmstack.errors import EngineMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Source = Literal["llama_server_bin", "LLAMA_SERVER_BIN", "PATH", "embedded"]

# -P: never import from the current directory, which may be anybody's project.
EMBEDDED = (sys.executable, "-P", "-m", "llmstack.llama_server")
PROBE_SECONDS = 10.0
MIB = 1024 * 1024

# "  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23600 MiB free)"
_DEVICE = re.compile(r"^ +(\S+): (.*) \((\d+) MiB, (\d+) MiB free\)$")
_VERSION = re.compile(r"^version: *(.+?) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """A command that takes llama-server's options, and where it was found."""

    argv: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Device:
    """A device that can hold layers of a model.

    ``name`` is what ``--device`` takes, such as ``CUDA0``; ``kind`` is it in lower case without
    the number (``cuda``, ``metal``, ``vulkan``, ``rocm``, ...). Memory is in bytes, ``None`` when
    the engine reports none.
    """

    name: str
    kind: str
    memory_total: int | None
    memory_free: int | None
    description: str = ""


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What an engine says about itself. ``devices`` leaves the CPU out."""

    version: str
    devices: tuple[Device, ...]


def find_llama_server(
    configured: str | None,
    environ: Mapping[str, str],
    which: Callable[[str], str | None] = shutil.which,
) -> LlamaServer:
    """Choose the llama-server to run.

    It is ``configured`` (``llama_server_bin`` of ``models.ini``), else ``LLAMA_SERVER_BIN`` of
    ``environ``, else the one on PATH, else the embedded one. A name without a directory is looked
    up with ``which``.

    :raises EngineMissing: ``llama_server_bin`` or ``LLAMA_SERVER_BIN`` is set, but is not a
        program. What the user asked for is never replaced by something else.
    """
    if configured:
        return LlamaServer((_program(configured, "llama_server_bin", which),), "llama_server_bin")
    if asked := environ.get("LLAMA_SERVER_BIN"):
        return LlamaServer((_program(asked, "LLAMA_SERVER_BIN", which),), "LLAMA_SERVER_BIN")
    if found := which("llama-server"):
        return LlamaServer((found,), "PATH")
    return LlamaServer(EMBEDDED, "embedded")


def _program(asked: str, setting: str, which: Callable[[str], str | None]) -> str:
    path = Path(asked).expanduser()
    if path.name == asked:
        if found := which(asked):
            return found
        why = "there is no such program on PATH"
    elif path.is_file() and os.access(path, os.X_OK):
        return str(path)
    elif path.is_dir():
        why = "it is a directory"
    else:
        why = "it is not executable" if path.exists() else "there is no such file"
    raise EngineMissing(
        f"{setting} names {asked}, which cannot be run",
        why=why,
        fix=f"correct {setting}, or remove it to use the llama-server on PATH or the embedded one",
    )


def describe(server: LlamaServer, seconds: float = PROBE_SECONDS) -> EngineReport:
    """Ask ``server`` for its version and devices; each question may take ``seconds``.

    A llama-server that does not know ``--list-devices`` has no devices in the report.

    :raises EngineMissing: it cannot be run, or does not answer in time.
    """
    code, output = _ask(server, "--version", seconds)
    if code != 0:
        lines = output.strip().splitlines()
        raise EngineMissing(
            f"{' '.join(server.argv)} does not work",
            why=lines[-1] if lines else f"it ended with status {code}",
            fix="install another llama-server, or set llama_server_bin to one that works",
        )
    version = _VERSION.search(output)
    code, listing = _ask(server, "--list-devices", seconds)
    return EngineReport(
        version=version[1] if version else "unknown",
        devices=parse_devices(listing.splitlines()) if code == 0 else (),
    )


def parse_devices(lines: Sequence[str]) -> tuple[Device, ...]:
    """Read the devices in the output of ``llama-server --list-devices``.

    Source of the format: ``common_print_available_devices`` in llama.cpp's ``common/arg.cpp``.
    """
    matches = [match for line in lines if (match := _DEVICE.match(line.rstrip()))]
    return tuple(
        Device(
            name=name,
            kind=_kind(name),
            memory_total=int(total) * MIB or None,
            memory_free=int(free) * MIB if int(total) else None,
            description=description,
        )
        for name, description, total, free in (match.groups() for match in matches)
    )


def _kind(name: str) -> str:
    word = name.rstrip("0123456789").lower()
    return {"mtl": "metal"}.get(word, word)


def _ask(server: LlamaServer, option: str, seconds: float) -> tuple[int, str]:
    try:
        answer = subprocess.run(
            [*server.argv, option],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineMissing(
            f"{' '.join(server.argv)} does not answer",
            why=f"{option} took longer than {seconds:g} s",
            fix="run it by hand, or set llama_server_bin to another one",
        ) from None
    except OSError as error:
        raise EngineMissing(
            f"{' '.join(server.argv)} cannot be run",
            why=error.strerror or str(error),
            fix="install llama.cpp's llama-server, or set llama_server_bin to one that works",
        ) from None
    return answer.returncode, answer.stdout
