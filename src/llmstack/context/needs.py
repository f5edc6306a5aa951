"""What fitting a request asks of those who can do something, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmstack.context.checkpoint import Checkpoint
    from llmstack.context.compaction import Overflow, Span
    from llmstack.context.history import Api, History
    from llmstack.context.report import Report
    from llmstack.context.settings import ContextSettings, Window


class Measured(Protocol):
    """A history in tokens: of each unit, and of all that is beside them."""

    @property
    def front(self) -> float:
        """Instructions, tools and what the template adds."""

    @property
    def units(self) -> Sequence[float]:
        """Each unit, in order."""


Measure = Callable[["History"], Measured]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is to fit.

    ``chain`` are the ``digests`` of its body, ``prior`` is what ``Checkpoints`` found for them.
    ``scale`` corrects ``measure`` by what an upstream said; ``retried`` says that it did. ``local``
    is a model that llama-server runs, whose template can be told not to think.
    """

    path: str
    body: bytes
    window: Window
    settings: ContextSettings
    measure: Measure
    chain: Sequence[str] = ()
    prior: Checkpoint | None = None
    scale: float = 1.0
    retried: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class NeedExact:
    """Asks how many tokens the prompt of this body has. Answer None when nobody can tell."""

    body: bytes


@dataclass(frozen=True, slots=True)
class NeedSummary:
    """Asks what the model answers to this body, which does not stream, within ``timeout`` seconds.

    Answer with the bytes of it, None when there is none. ``span`` is of the client's own items.
    """

    api: Api
    body: bytes
    timeout: float
    span: Span


Need = NeedExact | NeedSummary
Answer = int | bytes | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """``body`` is to be sent, ``checkpoint`` to be kept if there is one."""

    body: bytes
    report: Report
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """The request is to be answered with the error of ``overflow``."""

    overflow: Overflow
    report: Report
