"""The wired shell that ``start`` ends in, for a user without a hook."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import wiring

if TYPE_CHECKING:
    from llmstack.config.workdir import WorkDir


def open_shell(work: WorkDir, *, refused: bool) -> int:
    """Open a shell wired to ``work`` where that is of use; the command's exit status.

    As on entering, nothing of the project is wired that the user has not allowed.
    """
    from llmstack.wiring.subshell import enter, stale, wanted

    if stale(os.environ, wiring(work)):
        print('     the channel has changed; in this shell: eval "$(llmstack reload)"')
    terminals = {"stdin_tty": sys.stdin.isatty(), "stdout_tty": sys.stdout.isatty()}
    if not wanted(os.environ, refused=refused, **terminals) or not work.opencode_json.is_file():
        return 0
    from llmstack.wiring.trust import state

    if state(work.root) != "allowed":
        print("     no shell is wired to it; if you trust what is in .llmstack: llmstack allow")
        return 0
    print("     this is a shell wired to it; exit leaves the shell, llmstack stop ends the stack")
    return enter(work, wiring(work).marker, os.environ)
