"""``llmstack top`` on a terminal of its own: it leaves it as it was, however it ends."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.wiring.terminal import PATIENCE, Terminal, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.swap_server import SwapServer

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"
TOP = [sys.executable, "-P", "-m", "llmstack", "top"]


class Screen(Terminal):
    """``llmstack top`` in a terminal of 80 columns and 24 lines."""

    def __init__(self, cwd: Path, **environ: str) -> None:
        super().__init__(TOP, environment(cwd, **environ), cwd)
        self.resize(80, 24)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._handle, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press some keys."""
        self._type(keys)

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        while self._process.poll() is None and self._read(PATIENCE):
            pass
        return self._process.wait(PATIENCE)

    def shows(self, *words: str) -> None:
        """Wait until a line that is drawn from now on has all these words."""
        begun = len(self.output)
        deadline = time.monotonic() + PATIENCE
        while not any(
            all(word in line for word in words)
            for line in self.output[begun:].decode(errors="replace").splitlines()
        ):
            assert time.monotonic() < deadline, f"no {words}: {self.output[-2000:]!r}"
            self._read(1.0)

    def draws_head(self, *, context: bool) -> None:
        """Wait until the table of models was last drawn with the column ``CONTEXT``, or without."""
        deadline = time.monotonic() + PATIENCE
        while (self.output.rfind(b"CONTEXT") > self.output.rfind(b"MODEL ")) is not context:
            assert time.monotonic() < deadline, f"{self.output[-2000:]!r}"
            self._read(1.0)

    def line_mode(self) -> bool:
        """Whether the terminal gathers lines, as it does for a shell."""
        return bool(termios.tcgetattr(self._handle)[3] & termios.ICANON)


@pytest.mark.parametrize("how", ["q", "\x03", signal.SIGTERM, signal.SIGHUP])
def test_it_ends_well_and_restores_the_terminal(
    tmp_path: Path, remote: SwapServer, how: str | signal.Signals
) -> None:
    with Screen(tmp_path, LLMSTACK_REMOTE_URL=remote.url) as screen:
        screen.wait_for(b"code-ultra")
        assert ENTER in screen.output
        assert not screen.line_mode()
        if isinstance(how, str):
            screen.press(how)
        else:
            os.kill(screen.pid, how)
        assert screen.ended() == 0
        assert screen.line_mode()
    assert screen.output.count(LEAVE) == 1
    assert SHOW_CURSOR in screen.output[screen.output.index(LEAVE) - 20 :]
    assert b"Traceback" not in screen.output


def test_other_keys_and_arrows_do_nothing_and_a_new_size_is_drawn(
    tmp_path: Path, remote: SwapServer
) -> None:
    with Screen(tmp_path, LLMSTACK_REMOTE_URL=remote.url) as screen:
        screen.draws_head(context=True)
        screen.press("x\x1b[A\x1b[1;5q?")
        screen.resize(60, 24)
        screen.draws_head(context=False)  # 60 columns have no room for it
        screen.press("q")
        assert screen.ended() == 0


def test_without_colour_it_sets_none(tmp_path: Path, remote: SwapServer) -> None:
    with Screen(tmp_path, LLMSTACK_REMOTE_URL=remote.url, NO_COLOR="1") as screen:
        screen.wait_for(b"code-ultra")
        screen.press("q")
        assert screen.ended() == 0
    assert b"\x1b[3" not in screen.output


def test_ctrl_z_leaves_the_page_and_fg_comes_back_to_it(tmp_path: Path, remote: SwapServer) -> None:
    environ = environment(tmp_path, LLMSTACK_REMOTE_URL=remote.url)
    with Terminal(["bash", "--norc", "-i"], environ, tmp_path) as shell:
        shell._type(" ".join(TOP) + "\n")
        shell.wait_for(ENTER)
        shell._type("\x1a")
        shell.wait_for(b"Stopped")
        assert shell.output.index(LEAVE) < shell.output.index(b"Stopped")
        shell._type("fg\n")
        _wait_for_another(shell, ENTER)
        shell._type("q")
        _wait_for_another(shell, LEAVE)
        assert "status 0" in shell.run("echo status $?")
        shell.end()


def _wait_for_another(shell: Terminal, text: bytes) -> None:
    """Until the terminal has shown ``text`` anew."""
    begun = len(shell.output)
    while text not in shell.output[begun:]:
        assert shell._read(PATIENCE), f"{text!r} was not shown"


def test_without_a_daemon_it_waits_and_says_what_to_do(tmp_path: Path) -> None:
    with Screen(tmp_path) as screen:
        screen.wait_for(b"llmstack start")
        screen.press("q")
        assert screen.ended() == 0


def test_a_dumb_terminal_gets_one_page(tmp_path: Path, remote: SwapServer) -> None:
    with Screen(tmp_path, LLMSTACK_REMOTE_URL=remote.url, TERM="dumb") as screen:
        assert screen.ended() == 0
    assert b"code-smart" in screen.output
    assert b"\x1b" not in screen.output
