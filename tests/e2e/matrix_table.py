"""The cells of the matrix: every API, way, place and case, and why some do not apply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

Api = Literal["chat", "messages", "responses", "completions"]
Way = Literal["streamed", "whole"]
PlaceName = Literal["local", "bedrock", "openai", "ollama", "peer"]
APIS: tuple[Api, ...] = get_args(Api)
Case = Literal["plain", "tools", "image", "error before", "error during", "client leaves"]


@dataclass(frozen=True)
class Cell:
    """One way to ask one place."""

    api: Api
    way: Way
    place: PlaceName
    case: Case

    def __str__(self) -> str:
        return f"{self.api}-{self.way}-{self.place}-{self.case.replace(' ', '_')}"


@dataclass(frozen=True)
class Gap:
    """Cells that do not apply: those that agree with every member that is not empty."""

    why: str
    case: Case
    api: Api | None = None
    place: PlaceName | None = None

    def holds(self, cell: Cell) -> bool:
        """Whether ``cell`` is one of them."""
        api, place = self.api or cell.api, self.place or cell.place
        return cell == replace(cell, case=self.case, api=api, place=place)


ALL = tuple(
    Cell(*names)
    for names in product(get_args(Api), get_args(Way), get_args(PlaceName), get_args(Case))
)

GAPS = (
    Gap("a prompt is text: the API has no tools", "tools", api="completions"),
    Gap("a prompt is text: the API has no images", "image", api="completions"),
    Gap("the tiny chat model has no projector and sees nothing", "image", place="local"),
    Gap("the peer's model is the tiny chat model, which sees nothing", "image", place="peer"),
)


def why_not(cell: Cell) -> str:
    """Why ``cell`` does not apply; empty if it does."""
    return next((gap.why for gap in GAPS if gap.holds(cell)), "")


#: The cells that have a test.
CELLS = tuple(cell for cell in ALL if not why_not(cell))
