"""What ``llmstack eval route`` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.routing.evaluation import Evaluation
    from llmstack.routing.evaluation.agreement import Agreement


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of all policies on one split of one set, the router's own first.

    ``sha256`` is that of the whole data file, ``agreement`` that of its label columns.
    """

    data: str
    sha256: str
    split: str
    sources: int
    agreement: Agreement
    results: tuple[Evaluation, ...]
