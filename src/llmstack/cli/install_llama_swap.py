"""``llmstack install-llama-swap``."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

EXAMPLES = """examples:
  llmstack install-llama-swap                         the newest release
  LLAMA_SWAP_VERSION=v202 llmstack install-llama-swap that release
  llmstack install-llama-swap --force                 also when it is there already

Only for those who write engine = llama-swap in models.ini: llmstack has its own engine. The program
is checked against its release's checksum and goes to $LLMSTACK_BIN_DIR, else 'bin' of the data
directory. LLAMA_SWAP_RELEASES names a mirror; proxies are those of the environment."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("-f", "--force", action="store_true", help="install it again")


def run(arguments: Namespace) -> int:
    """Install it, unless that release is there."""
    from llmstack.config.marker import read_marker
    from llmstack.hub.data_dir import data_dir
    from llmstack.hub.swap_binary import (
        asked_release,
        bin_dir,
        install_llama_swap,
        installed_number,
    )

    marker = read_marker(work_dir().default_channel)
    if marker and marker.channel == "external":
        raise DaemonError("this project is a thin client", fix="llama-swap would not be used here.")
    release = asked_release(os.environ, sys.platform, platform.machine())
    directory = bin_dir(os.environ, data_dir(os.environ))
    program = directory / release.program
    if not arguments.force and program.is_file() and installed_number(program) == release.number:
        print(f"[=] {program} is {release.tag} already")
        return 0
    print(f"[*] fetching llama-swap {release.tag} ({release.asset})", file=sys.stderr)
    installed = install_llama_swap(release, directory, os.environ, _progress())
    print(f"[OK] installed {installed} ({release.tag})")
    return 0


def _progress() -> Callable[[int, int], None]:
    """One line that is written over on a terminal, nothing elsewhere: it takes seconds."""
    if not sys.stderr.isatty():
        return lambda _done, _size: None

    def show(done: int, size: int) -> None:
        share = f" of {size / 1e6:.1f}" if size else ""
        print(f"\r     {done / 1e6:.1f}{share} MB", end="", file=sys.stderr, flush=True)
        if done == size:
            print(file=sys.stderr)

    return show
