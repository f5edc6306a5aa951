"""The catalogue compared with what the hub has now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.errors import DownloadError
from llmstack.hub.remote_file import describe_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from llmstack.hub.catalogue import CatalogueModel
    from llmstack.hub.hub_file import HubFile
    from llmstack.hub.remote_file import RemoteFile

#: Pages that tell a size round it to three digits.
ROUNDED = 0.01
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model: its bytes here (0 if the catalogue has none) and on the hub, or the problem."""

    file: str
    size: int
    found: int | None
    problem: str = ""


def compare(
    models: Iterable[CatalogueModel], describe: Callable[[HubFile], RemoteFile] = describe_file
) -> list[Comparison]:
    """Ask the hub about every model at once."""

    def one(model: CatalogueModel) -> Comparison:
        name = str(model.file)
        try:
            found = sum(describe(part).size for part in model.file.parts())
        except DownloadError as error:
            return Comparison(name, model.size, None, str(error).splitlines()[0])
        if model.size and abs(found - model.size) > ROUNDED * model.size:
            return Comparison(name, model.size, found, f"the catalogue says {model.size} bytes")
        return Comparison(name, model.size, found)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, models))
