"""Single keys from a terminal, without waiting for a line."""

from __future__ import annotations

import os
import re
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

#: A control sequence (ECMA-48, section 5.4), a function key, or a key with Alt.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])", re.DOTALL)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")


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
    begun = ""
    while True:
        if not select.select([handle], [], [], LOOK)[0]:
            begun = ""  # Escape by itself
            yield ""
            continue
        try:
            data = os.read(handle, 64)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            yield "q"
        pressed, begun = plain_keys(begun + data.decode("latin-1"))
        yield from pressed or [""]


def plain_keys(text: str) -> tuple[str, str]:
    """The keys in ``text`` that are single characters, and the sequence that it ends amid.

    An arrow, say, is one key, none of whose letters counts.
    """
    text = _SEQUENCE.sub("", text)
    rest = _BEGUN.search(text)
    return (text[: rest.start()], rest.group()) if rest else (text, "")


def _console_keys() -> Iterator[str]:
    import msvcrt

    while True:
        if msvcrt.kbhit():  # type: ignore[attr-defined,unused-ignore]  # Windows
            key = msvcrt.getwch()  # type: ignore[attr-defined,unused-ignore]
            yield "" if key == SUSPEND else key  # no job control there
        else:
            time.sleep(LOOK)
            yield ""
