"""Notice that files of a configuration changed, by looking at them every two seconds.

Looking works where notifications do not: on bind mounts, on network file systems, and when a
symbolic link is pointed elsewhere (``stat`` follows it). Rules: llama-swap's behaviour report, 1.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llmstack.engine.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from llmstack.engine.clock import Clock

#: Seconds between two looks.
INTERVAL = 2.0

_SUFFIXES = (".yml", ".yaml")

#: Modification time in nanoseconds and size in bytes.
Mark = tuple[int, int]


class Watched(Protocol):
    """Something that may change."""

    def changed(self) -> bool:
        """Whether it changed since the last look. The first look never finds a change."""
        ...


def look(path: Path) -> Mark | None:
    """The mark of the file that ``path`` leads to, None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def look_into(directory: Path) -> Mapping[str, Mark]:
    """The marks of the YAML files directly in ``directory``; empty if it cannot be read."""
    try:
        paths = [path for path in directory.iterdir() if path.name.endswith(_SUFFIXES)]
    except OSError:
        return {}
    marks = {path.name: look(path) for path in paths if not path.is_dir()}
    return {name: mark for name, mark in marks.items() if mark is not None}


class WatchedFile:
    """One file. That it is gone is no change, but that it is back is."""

    def __init__(self, path: Path, look: Callable[[Path], Mark | None] = look) -> None:
        self._path = path
        self._look = look
        self._last: Mark | None = None
        self._begun = False

    def changed(self) -> bool:
        """See ``Watched``."""
        before, self._last = self._last, self._look(self._path)
        begun, self._begun = self._begun, True
        return begun and self._last is not None and self._last != before


class WatchedDirectory:
    """The YAML files of a directory, as a set. That all are gone is no change."""

    def __init__(self, path: Path, look: Callable[[Path], Mapping[str, Mark]] = look_into) -> None:
        self._path = path
        self._look = look
        self._last: Mapping[str, Mark] = {}
        self._begun = False

    def changed(self) -> bool:
        """See ``Watched``."""
        before, self._last = self._last, self._look(self._path)
        begun, self._begun = self._begun, True
        return begun and bool(self._last) and self._last != before


def watched(config: Path | None, config_dir: Path | None) -> list[Watched]:
    """What to look at for these sources. The first look has been taken."""
    found: list[Watched] = []
    if config is not None:
        found.append(WatchedFile(config))
    if config_dir is not None:
        found.append(WatchedDirectory(config_dir))
    any_changed(found)
    return found


def any_changed(sources: Iterable[Watched]) -> bool:
    """Whether one of them changed; all are looked at."""
    return True in [source.changed() for source in sources]


async def watch(
    sources: Iterable[Watched],
    on_change: Callable[[], None],
    clock: Clock | None = None,
) -> None:
    """Call ``on_change`` after every look that finds a change, until cancelled."""
    clock = clock or SystemClock()
    kept = list(sources)
    while True:
        await clock.sleep(INTERVAL)
        if any_changed(kept):
            on_change()
