"""The memory that this machine, or the one of a profile, has for models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.hub.capacity import UNIFIED, detect_capacity, machine_memory
from llmstack.residency.room import Room, gpu_room, machine_room

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.hub.capacity import Capacity

#: Profiles that are named in help and documentation; any other number does as well.
PROFILES = ("cpu", "8gb", "16gb", "32gb", "64gb", "128gb")

_PROFILE = re.compile(r"(?P<gpu>gpu-)?(?P<size>[1-9]\d{0,3})gb(?:\+(?P<ram>[1-9]\d{0,3})gb)?", re.A)
_GIB = 1 << 30


def room_here(
    detect: Callable[[], Capacity] = detect_capacity, memory: Callable[[], int] = machine_memory
) -> Room:
    """Look at this machine. Takes as long as the GPU tool does."""
    capacity = detect()
    if capacity.kind == "gpu":
        return gpu_room(capacity.size, capacity.what, memory())
    if capacity.what == UNIFIED:
        # The system's own limit leaves the rest to others already.
        return Room("machine", capacity.size, capacity.what)
    return machine_room(capacity.size, capacity.what, cpu=True)


def profile_room(profile: str, here: Callable[[], Room] = room_here) -> Room:
    """The room of ``auto``, ``cpu``, ``16gb``, ``gpu-24gb`` or ``gpu-24gb+64gb``.

    Raises:
        LlmstackError: it is none of those.
    """
    name = profile.strip().lower()
    if name == "auto":
        return here()
    if name == "cpu":
        return machine_room(machine_memory(), "this machine's memory", cpu=True)
    match = _PROFILE.fullmatch(name)
    if match is None or (match["ram"] and not match["gpu"]):
        raise LlmstackError(
            f"{profile!r} is no profile",
            fix=f"Use auto, {', '.join(PROFILES)} or another number of GB; for a GPU with memory "
            "of its own gpu-24gb, or gpu-24gb+64gb with that of the machine.",
        )
    size = int(match["size"]) * _GIB
    if match["gpu"]:
        ram = int(match["ram"]) * _GIB if match["ram"] else None
        return gpu_room(size, f"a GPU of {match['size']} GiB", ram)
    return machine_room(size, f"a machine with {match['size']} GiB")
