"""Several files from the model hub, a few at a time, with what each has come to."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from llmstack.errors import DownloadError, LlmstackError
from llmstack.hub.fetch import fetch, fetched_bytes
from llmstack.hub.remote_file import cache_dir, cached_path, describe_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from llmstack.hub.hub_file import HubFile, Wanted
    from llmstack.hub.remote_file import RemoteFile

#: Files that are fetched at the same time; more only take the line from each other.
AT_ONCE = 2

#: Bytes of disk that are left free.
SPARE = 2 * 10**9

State = Literal["waiting", "fetching", "checking", "done", "here", "failed"]


@dataclass(slots=True)
class Item:
    """One file on its way. ``done`` and ``size`` are in bytes, ``began`` in seconds of the clock.

    ``resumed`` is how much was here before.
    """

    file: HubFile
    labels: tuple[str, ...]
    state: State = "waiting"
    done: int = 0
    size: int = 0
    resumed: int = 0
    began: float | None = None
    problem: str = ""

    def speed(self, now: float) -> float:
        """Bytes per second since it began, 0 when unknown."""
        if self.began is None or now <= self.began:
            return 0.0
        return max(0.0, (self.done - self.resumed) / (now - self.began))


@dataclass(slots=True)
class Downloads:
    """All files of a stack. ``changed`` is called, from any thread, when an item is another."""

    items: list[Item]
    changed: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End what is under way soon; what has come is kept."""
        self._stopped.set()

    def run(self, at_once: int = AT_ONCE) -> bool:
        """Fetch everything that is not here; whether all of it is here now.

        Raises:
            DownloadError: the disk is too small for all of it; nothing has been fetched then.
        """
        remote = self._describe(at_once)
        _check_disk(remote.values(), cache_dir())
        with ThreadPoolExecutor(at_once) as pool:
            try:
                list(pool.map(lambda item: self._fetch(item, remote), self.items))
            except BaseException:
                self.stop()
                raise
        return all(item.state in ("done", "here") for item in self.items)

    def _describe(self, at_once: int) -> dict[HubFile, RemoteFile]:
        """What the hub says of every file. One that is here already needs no hub."""
        found: dict[HubFile, RemoteFile] = {}

        def describe(item: Item) -> None:
            try:
                remote = describe_file(item.file)
            except DownloadError as error:
                if (here := cached_path(item.file)) is not None:
                    item.state, item.size = "here", here.stat().st_size
                    item.done = item.size
                else:
                    item.state, item.problem = "failed", str(error)
            else:
                found[item.file] = remote
                item.size = remote.size
                item.done = item.resumed = fetched_bytes(remote)
            self.changed()

        with ThreadPoolExecutor(max(at_once, 4)) as pool:
            list(pool.map(describe, self.items))
        return found

    def _fetch(self, item: Item, remote: dict[HubFile, RemoteFile]) -> None:
        if item.file not in remote or self._stopped.is_set():
            return
        here = item.done == item.size
        item.state, item.began = "fetching", self.clock()
        self.changed()

        def progress(count: int) -> None:
            if self._stopped.is_set():
                raise Stopped
            item.done += count
            if count == 0:
                item.state = "checking"
            self.changed()

        try:
            fetch(remote[item.file], progress)
        except Stopped:
            item.state = "waiting"
        except (LlmstackError, OSError) as error:
            item.state, item.problem = "failed", str(error)
        else:
            item.state, item.done = "here" if here else "done", item.size
        self.changed()


class Stopped(BaseException):
    """The downloads were told to stop."""


def downloads_of(wanted: Iterable[Wanted]) -> Downloads:
    """The downloads of the files that a stack wants, none of them begun."""
    return Downloads([Item(one.file, one.labels) for one in wanted])


def _check_disk(remote: Iterable[RemoteFile], cache: Path) -> None:
    missing = sum(one.size - fetched_bytes(one) for one in remote)
    there = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if missing and missing + SPARE > free:
        raise DownloadError(
            "the disk is too small for these models",
            why=f"{missing / 1e9:.1f} GB are to be fetched into {cache}, and {free / 1e9:.1f} GB "
            "are free.",
            fix="Free some space, choose smaller models, or set HF_HOME to a larger disk.",
        )
