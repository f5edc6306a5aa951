"""A real interactive shell on a terminal of its own, with a home directory of its own."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LLMSTACK = f"{sys.executable} -P -m llmstack"

#: Seconds that one command may take on a busy machine.
PATIENCE = 60.0

#: Variables of the developer's own that must not leak into a test.
OURS = ("LLMSTACK", "_LLMSTACK", "OPENCODE", "ROUTER_", "PROMPT_COMMAND", "ZDOTDIR", "NO_COLOR")

#: Takes the terminal as its own, as a login does, then becomes the program.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

#: What every shell's set-up has: the hook, and a prompt that shows no directory.
SETUP = {
    "bash": (".bashrc", f"PS1='ready> '\nset +o history\neval \"$({LLMSTACK} activate bash)\"\n"),
    "zsh": (
        ".zshrc",
        f"""PROMPT='ready> '
setopt PROMPT_SUBST PROMPT_BANG NO_BEEP
unsetopt PROMPT_SP
eval "$({LLMSTACK} activate zsh)"
""",
    ),
    "fish": (
        ".config/fish/config.fish",
        f"""function fish_prompt; printf 'ready> '; end
function fish_title; end
{LLMSTACK} activate fish | source
""",
    ),
}

#: Interactive, without the machine's own additions.
ARGV = {"bash": ["bash", "-i"], "zsh": ["zsh", "-d", "-i"], "fish": ["fish", "-i"]}

#: Commands that print the prompt with all that the shell expands in it.
SHOW_PROMPT = {
    "bash": 'printf %s "${PS1@P}"',
    "zsh": 'print -rnP -- "$PROMPT"',
    "fish": "fish_prompt",
}

every_shell = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is missing")
        )
        for name in ARGV
    ],
)


def environment(home: Path, **extra: str) -> dict[str, str]:
    """The environment of a user who lives in ``home``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    for name in ("COLUMNS", "LINES"):  # the terminal says how large it is
        kept.pop(name, None)
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "LLMSTACK_DATA_DIR": str(home / "data"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **extra,
    }


def set_up(shell: str, home: Path, *, before: str = "", after: str = "") -> None:
    """Write the shell's set-up file."""
    name, text = SETUP[shell]
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(before + text + after)


class Terminal:
    """A program on a pseudo-terminal, driven line by line."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> None:
        self.output = b""
        self._count = 0
        self._shell = argv[0]
        self._scratch = cwd / f".answers-{time.monotonic_ns()}"
        self._scratch.mkdir()
        ours, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self._handle = ours
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", OWN_TERMINAL, *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environ, "ANSWERS": str(self._scratch)},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        os.close(self._handle)

    def speaks(self, shell: str) -> None:
        """The program is, or will become, that shell."""
        self._shell = shell

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def run(self, line: str) -> str:
        """Type ``line``, wait until it has been done; what the terminal was sent meanwhile."""
        self._count += 1
        begun = len(self.output)
        # The quotes keep the echo of what is typed from looking like the answer.
        self._type(f" {line}\n printf 'E''ND%s\\n' {self._count}\n")
        self.wait_for(f"END{self._count}\r\n".encode())
        return self.output[begun:].decode(errors="surrogateescape")

    def environ(self) -> dict[str, str]:
        """What the shell exports to its children."""
        self.run('env -0 > "$ANSWERS/environ"')
        raw = (self._scratch / "environ").read_bytes().decode(errors="surrogateescape")
        return dict(entry.split("=", 1) for entry in raw.split("\0") if "=" in entry)

    def prompt(self) -> str:
        """The prompt as the shell shows it now."""
        self.run(f'{SHOW_PROMPT[self._shell]} > "$ANSWERS/prompt"')
        return (self._scratch / "prompt").read_bytes().decode(errors="surrogateescape")

    def wait_for(self, text: bytes) -> None:
        """Until the terminal has shown ``text``."""
        start = max(0, len(self.output) - len(text))
        deadline = time.monotonic() + PATIENCE
        while text not in self.output[start:]:
            left = deadline - time.monotonic()
            if left < 0 or not self._read(left):
                raise AssertionError(f"{text!r} was not shown, but {self.output[-2000:]!r}")

    def end(self) -> int:
        """Type exit and wait; the exit status."""
        self._type(" exit\n")
        while self._process.poll() is None and self._read(PATIENCE):
            pass
        return self._process.wait(PATIENCE)

    def _type(self, text: str) -> None:
        os.write(self._handle, text.encode())

    def _read(self, within: float) -> bool:
        if not select.select([self._handle], [], [], within)[0]:
            return False
        try:
            data = os.read(self._handle, 65536)
        except OSError:  # Linux says EIO when the last program has left the terminal
            return False
        self.output += data
        return bool(data)
