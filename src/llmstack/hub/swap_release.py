"""llama-swap's releases: what the assets are called, and what may be taken out of them.

Names: goreleaser's defaults, as in llama-swap's own release configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmstack.errors import DownloadError

#: Where releases are, unless ``LLAMA_SWAP_RELEASES`` names a mirror.
RELEASES = "https://github.com/mostlygeek/llama-swap/releases"

#: Systems and architectures that there are assets for, as Go calls them.
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "freebsd": "freebsd", "win32": "windows"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_ABSENT = {("freebsd", "arm64"), ("windows", "arm64")}

_TAG = re.compile(r"v?(?P<number>\d{1,6})")
_CHECKSUM = re.compile(r"(?P<digest>[0-9a-fA-F]{64})[ *]+(?P<name>\S+)")


@dataclass(frozen=True, slots=True)
class Release:
    """One release for one kind of machine. ``number`` is the tag without its v."""

    number: int
    system: str
    machine: str

    @property
    def tag(self) -> str:
        """The tag of the release."""
        return f"v{self.number}"

    @property
    def asset(self) -> str:
        """The archive's name."""
        ending = "zip" if self.system == "windows" else "tar.gz"
        return f"llama-swap_{self.number}_{self.system}_{self.machine}.{ending}"

    @property
    def checksums(self) -> str:
        """The name of the file with the checksums of all archives."""
        return f"llama-swap_{self.number}_checksums.txt"

    @property
    def program(self) -> str:
        """The program's name, in the archive and here."""
        return "llama-swap.exe" if self.system == "windows" else "llama-swap"


def release_for(tag: str, platform: str, machine: str) -> Release:
    """The release ``tag`` for this machine; ``platform`` and ``machine`` are Python's words.

    Raises:
        DownloadError: the tag is none, or there is no asset for such a machine.
    """
    match = _TAG.fullmatch(tag.strip())
    if match is None:
        raise DownloadError(
            f"{tag!r} is not a version of llama-swap",
            fix="Write a release such as v202 in LLAMA_SWAP_VERSION, or leave it out.",
        )
    system = next((go for name, go in _SYSTEMS.items() if platform.startswith(name)), "")
    architecture = _MACHINES.get(machine.lower(), "")
    if not system or not architecture or (system, architecture) in _ABSENT:
        raise DownloadError(
            f"llama-swap has no release for {platform} on {machine}",
            fix="Build it yourself and put it on PATH, or keep the embedded engine.",
        )
    return Release(int(match["number"]), system, architecture)


def checksum_of(asset: str, text: str) -> str:
    """The SHA-256 of ``asset`` in a checksum file.

    Raises:
        DownloadError: the file does not name it.
    """
    for line in text.splitlines():
        match = _CHECKSUM.fullmatch(line.strip())
        if match and match["name"] == asset:
            return match["digest"].lower()
    raise DownloadError(f"the release has no checksum of {asset}", why="Nothing was installed.")
