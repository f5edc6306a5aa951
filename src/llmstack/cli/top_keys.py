"""Single keys from a terminal, without waiting for a line."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds after which "no key" is told.
LOOK = 0.2

#: Ctrl-Z.
SUSPEND = "\x1a"


@contextmanager
def keyboard(stream: TextIO) -> Iterator[Iterator[str]]:
    """The keys pressed, endlessly: an empty text now and then, while none is.

    The terminal echoes nothing meanwhile and is as before afterwards. A ``stream`` that is no
    terminal has no keys.
    """
    if not stream.isatty():
        yield _none()
    elif sys.platform == "win32":
        yield _console_keys()
    else:
        import termios
        import tty

        handle = stream.fileno()
        before = termios.tcgetattr(handle)
        try:
            tty.setcbreak(handle)
            changed = termios.tcgetattr(handle)
            # Ctrl-Z comes as a key, so that the page can be left first.
            changed[6][termios.VSUSP] = bytes([os.fpathconf(handle, "PC_VDISABLE") & 0xFF])
            termios.tcsetattr(handle, termios.TCSANOW, changed)
            yield _terminal_keys(handle)
        finally:
            termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _none() -> Iterator[str]:
    while True:
        time.sleep(LOOK)
        yield ""


def _terminal_keys(handle: int) -> Iterator[str]:
    import select

    yield ""
    while True:
        if not select.select([handle], [], [], LOOK)[0]:
            yield ""
            continue
        try:
            data = os.read(handle, 64)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            yield "q"
        # An escape sequence, an arrow say, is one key, none of whose letters counts.
        yield from [""] if data.startswith(b"\x1b") else data.decode("latin-1")


def _console_keys() -> Iterator[str]:
    import msvcrt

    while True:
        if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]  # Windows
            key = msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            yield "" if key == SUSPEND else key  # no job control there
        else:
            time.sleep(LOOK)
            yield ""
