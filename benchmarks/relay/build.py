"""Compile the two C programs of this benchmark, once per version of their source."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra"]


class BuildError(Exception):
    """The C programs could not be compiled."""


def cache_dir() -> Path:
    """Return the directory that holds compiled programs, private to the user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(base) / "llmstack" / "benchmarks"
    path.mkdir(parents=True, exist_ok=True)
    return path


def compile_program(name: str) -> Path:
    """Return the executable of `<name>.c`, compiling it unless it is cached.

    Raises:
        BuildError: there is no C compiler, or it rejected the source.
    """
    source = HERE / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes() + (HERE / "http.h").read_bytes())
    binary = cache_dir() / f"{name}-{digest.hexdigest()[:16]}"
    if binary.exists():
        return binary
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise BuildError("no C compiler found: install one that is called cc, gcc or clang")
    # Compiled aside and renamed, so that a broken build never looks like a finished one.
    part = binary.with_suffix(f".{os.getpid()}")
    command = [compiler, *FLAGS, "-o", str(part), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildError(f"{source.name} does not compile:\n{result.stderr}")
    part.rename(binary)
    return binary
