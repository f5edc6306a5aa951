"""The channel markers: one line, ``<channel>[ <url>]``, as ``read channel url`` reads it.

``default-channel`` is written with the configuration, ``active-channel`` by ``start``. Both lie in
a project directory, which anybody may have written: what is not exactly a marker is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack.config.workdir import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.workdir import WorkDir

#: No longer file is a marker.
LONGEST = 2048

# Nothing that a shell, a prompt or a terminal gives a meaning to: no quotes, ``$``, backtick,
# ``%``, ``!``, ``\``, blank or control. No user information either, it would show in the prompt.
_LINE = re.compile(
    r"(?P<channel>current|next)"
    r"|external (?P<url>https?://(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?)"
)


@dataclass(frozen=True, slots=True)
class Marker:
    """A channel, and for ``external`` the base URL of the other machine's stack."""

    channel: Literal["current", "next", "external"]
    url: str = ""

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for what could not be read back."""
        if not _LINE.fullmatch(self.line()):
            raise ValueError(f"no channel marker: {self.line()!r}")

    def line(self) -> str:
        """The marker as its file has it, without the line's end."""
        return f"{self.channel} {self.url}" if self.url else self.channel


def parse_marker(text: str) -> Marker | None:
    """The marker that ``text`` is, with or without one line end; None for anything else."""
    line = text.removesuffix("\n").removesuffix("\r")
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    if url := found["url"]:
        return Marker("external", url)
    return Marker("next" if found["channel"] == "next" else "current")


def read_marker(path: Path) -> Marker | None:
    """The marker in the file ``path``; None when there is no file or no marker in it."""
    try:
        if not path.is_file():  # a pipe or a device would be waited for
            return None
        with path.open("rb") as stream:
            return parse_marker(stream.read(LONGEST + 1)[:LONGEST].decode("ascii"))
    except (OSError, ValueError):
        return None


def write_marker(path: Path, marker: Marker) -> None:
    """Replace the file ``path`` by ``marker``. Raises ``OSError``."""
    write_atomically(path, marker.line() + "\n")


def choose_marker(active: Marker | None, default: Marker | None, *, daemon_lives: bool) -> Marker:
    """The channel that holds, of what ``start`` and what the configuration left behind.

    The agents are configured for the default marker, so an external one is the truth whatever was
    started here before. A channel that was started holds only as long as its daemon lives; left
    behind by a dead one it would claim what is not so. An external marker is never believed from
    ``active-channel`` alone, whose content nobody has allowed.
    """
    if default is not None and default.channel == "external":
        return default
    if active is not None and active.channel != "external" and daemon_lives:
        return active
    return default or Marker("current")


def effective_marker(work: WorkDir, *, daemon_lives: bool = False) -> Marker:
    """``choose_marker`` for the files of ``work``; the caller says whether its daemon lives."""
    return choose_marker(
        read_marker(work.active_channel),
        read_marker(work.default_channel),
        daemon_lives=daemon_lives,
    )
