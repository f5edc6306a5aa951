"""How the model files of a stack compare with what the hub has now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack.errors import DownloadError
from llmstack.hub.fetch import fetched_bytes
from llmstack.hub.remote_file import cached_path, describe_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.hub.hub_file import Wanted

#: Questions to the hub at the same time.
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """One file. ``size`` and ``fetched`` are in bytes, ``size`` None where nobody knows it.

    ``newer`` means that another content is upstream than the one that is here.
    """

    file: str
    labels: tuple[str, ...]
    state: Literal["here", "newer", "partial", "missing"]
    size: int | None = None
    fetched: int = 0
    problem: str = ""


def standings(wanted: Iterable[Wanted]) -> list[Standing]:
    """Ask the hub about every file at once; one that it cannot tell of has a ``problem``."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_standing, wanted))


def _standing(one: Wanted) -> Standing:
    here = cached_path(one.file)
    name = str(one.file)
    try:
        remote = describe_file(one.file)
    except DownloadError as error:
        size = here.stat().st_size if here else None
        state: Literal["here", "missing"] = "here" if here else "missing"
        return Standing(name, one.labels, state, size, size or 0, str(error).splitlines()[0])
    fetched = fetched_bytes(remote)
    if fetched == remote.size:
        return Standing(name, one.labels, "here", remote.size, fetched)
    if here is not None:
        return Standing(name, one.labels, "newer", remote.size, fetched)
    return Standing(name, one.labels, "partial" if fetched else "missing", remote.size, fetched)
