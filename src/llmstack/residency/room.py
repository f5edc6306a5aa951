"""The memory that a stack has, what of it is left alone, and whether models fit together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack.residency.footprint import Share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.residency.footprint import Footprint, Pool

_GIB = 1 << 30
#: What is left free for each model's process: estimates are no measurements.
MARGIN = 256 << 20
#: What the system and its user keep: of memory at least this, and this share; of a GPU's this.
KEPT, KEPT_SHARE, KEPT_GPU = 2 * _GIB, 8, 512 << 20

#: Where the numbers of a ``Load`` come from, the most trusted first.
LoadSource = Literal["file", "hub", "catalogue", "catalogue, size_gb", "size_gb", "unknown"]


@dataclass(frozen=True, slots=True)
class Room:
    """Memory for models, in bytes. ``what`` names it for people.

    ``size`` is that of the GPUs for the pool ``gpu``, else the machine's. ``kept`` of it is not
    for models. ``host`` is what models may take of the machine's memory beside GPUs, None where
    that is not counted and nothing is to be put there. ``cpu`` says that no GPU computes.
    """

    pool: Pool
    size: int
    what: str
    kept: int = 0
    host: int | None = None
    cpu: bool = False

    @property
    def budget(self) -> int:
        """Bytes for all models together."""
        return max(self.size - self.kept, 0)


@dataclass(frozen=True, slots=True)
class Load:
    """What one tier takes: ``share`` is None if nobody knows, ``parts`` if it is no estimate."""

    tier: str
    share: Share | None
    parts: Footprint | None = None
    source: LoadSource = "file"
    why: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """Tiers that are loaded together, against the room. Sizes that nobody knows count as 0."""

    loads: tuple[Load, ...]
    room: Room

    @property
    def tiers(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(load.tier for load in self.loads)

    @property
    def taken(self) -> int:
        """Bytes in the pool that the budget is about."""
        return self._sum.of(self.room.pool)

    @property
    def host(self) -> int:
        """Bytes of the machine's memory beside GPUs."""
        return self._sum.host

    @property
    def margin(self) -> int:
        """Bytes that stay free because the others are estimates."""
        return MARGIN * len(self.loads)

    @property
    def left(self) -> int:
        """Bytes of the budget that are left; negative if it does not fit."""
        return self.room.budget - self.taken - self.margin

    @property
    def host_left(self) -> int:
        """The same of the host's memory; 0 where that is not counted."""
        if self.room.pool == "machine" or self.room.host is None:
            return 0
        return self.room.host - self.host - self.margin

    @property
    def spare(self) -> int | None:
        """Bytes of the machine's own memory that are left, None where that is not counted."""
        if self.room.pool == "machine":
            return self.left
        return None if self.room.host is None else self.host_left

    @property
    def fits(self) -> bool:
        """Whether all of it is in the room."""
        return self.left >= 0 and self.host_left >= 0

    @property
    def complete(self) -> bool:
        """Whether every size is known, the cache included."""
        return all(load.parts is not None for load in self.loads)

    @property
    def _sum(self) -> Share:
        total = Share()
        for load in self.loads:
            total += load.share or Share()
        return total


def total_of(loads: Iterable[Load], room: Room) -> Total:
    """What ``loads`` take together."""
    return Total(tuple(loads), room)


def share_of(parts: Footprint) -> Share:
    """All parts of an estimate."""
    total = Share()
    for _, share in parts.parts():
        total += share
    return total


def kept_of(memory: int) -> int:
    """What of the machine's ``memory`` is not for models."""
    return max(KEPT, memory // KEPT_SHARE)


def machine_room(memory: int, what: str, *, cpu: bool = False) -> Room:
    """The room of a machine with one memory, which the system has a part of."""
    return Room("machine", memory, what, kept=kept_of(memory), cpu=cpu)


def gpu_room(memory: int, what: str, ram: int | None = None) -> Room:
    """The room of GPUs with memory of their own, beside ``ram`` of the machine."""
    host = None if ram is None else max(ram - kept_of(ram), 0)
    return Room("gpu", memory, what, kept=KEPT_GPU, host=host)
