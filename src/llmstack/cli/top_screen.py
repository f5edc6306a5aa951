"""The live page of ``llmstack top``: the alternate screen, its keys, and its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

from llmstack.cli.top_keys import SUSPEND, keyboard
from llmstack.cli.top_tables import Room
from llmstack.cli.top_view import frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.client.watch import Seen


class Latest:
    """What was seen last, told by a thread that follows the stack."""

    def __init__(self, sightings: Iterator[Seen]) -> None:
        self.seen: Seen | None = None
        self.error: BaseException | None = None
        self._sightings = sightings
        threading.Thread(target=self._follow, daemon=True, name="top").start()

    def _follow(self) -> None:
        try:
            for seen in self._sightings:
                self.seen = seen
        except BaseException as error:  # noqa: BLE001  raised where the page is drawn
            self.error = error


def show(sightings: Iterator[Seen]) -> int:
    """Show what is seen until q, Ctrl-C or SIGTERM; 0."""
    latest = Latest(sightings)
    console = Console(highlight=False)
    with _ending() as ended:
        while not ended.is_set():
            with (
                keyboard(sys.stdin) as keys,
                Live(console=console, screen=True, auto_refresh=False) as live,
            ):
                key = _until_key(latest, live, keys, ended)
            if key == SUSPEND:
                os.killpg(0, signal.SIGTSTP)  # the whole job, as the terminal does
                continue
            break
    return 0


def _until_key(latest: Latest, live: Live, keys: Iterator[str], ended: threading.Event) -> str:
    """Draw whenever there is something new, until a key says to stop."""
    console = live.console
    unicode = console.encoding.lower().startswith("utf")
    drawn: object = None
    for key in keys:
        if latest.error is not None:
            raise latest.error
        if ended.is_set() or key in ("q", "Q", "\x03", SUSPEND):
            return key
        width, height = console.size
        if drawn != (drawn := (latest.seen, width, height)) or key == "\x0c":
            room = Room(width, height, unicode=unicode, keys="q quits")
            page = frame(latest.seen, room) if latest.seen else Text("asking the stack")
            live.update(page, refresh=True)
    return ""


@contextmanager
def _ending() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C and the like, so that the terminal is restored first."""
    ended = threading.Event()
    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            before[number] = signal.signal(number, lambda *_: ended.set())
    try:
        yield ended
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # one that Python did not set
                signal.signal(number, handler)
