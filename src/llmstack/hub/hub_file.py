"""A file on the model hub, and the parts of one that is split."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: How llama.cpp names the parts of a split GGUF; the first one is what is loaded.
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")

#: More parts than this is no model.
_MOST_PARTS = 999


@dataclass(frozen=True, slots=True, order=True)
class HubFile:
    """``name`` is the path of the file inside the repository ``owner/name``."""

    repo: str
    name: str

    def __str__(self) -> str:
        return f"{self.repo}/{self.name}"

    def parts(self) -> tuple[HubFile, ...]:
        """All files that must be there to load this one, itself included."""
        match = _PART.fullmatch(self.name)
        if match is None or not 1 <= int(match["count"]) <= _MOST_PARTS:
            return (self,)
        stem, count = match["stem"], int(match["count"])
        return tuple(
            HubFile(self.repo, f"{stem}-{number:05}-of-{count:05}.gguf")
            for number in range(1, count + 1)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that tiers of a stack need. ``labels`` say which: ``plan``, ``plan (next)``."""

    file: HubFile
    labels: tuple[str, ...]
