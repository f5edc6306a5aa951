"""What happens in the engine, told to whoever listens."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.engine.plan import State
    from llmstack.errors import RequestError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """A model's process changed.

    ``what`` is ``starting``, ``ready``, ``crashed``, ``failed``, or why it is being stopped or was:
    ``ttl``, ``unload``, ``shutdown``, ``evicted for NAME``. ``after`` is the seconds since its
    previous change; ``error`` what a failed start is blamed on.
    """

    model: str
    state: State
    what: str
    after: float
    error: RequestError | None = None


class Events:
    """A list of listeners. A listener must return quickly; what it raises is logged."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[ModelChanged], None]] = []

    def subscribe(self, listener: Callable[[ModelChanged], None]) -> Callable[[], None]:
        """Call ``listener`` with every event until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: ModelChanged) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # a listener's mistake must not cost anybody a model
                logger.exception("a listener failed on %s of %s", event.what, event.model)
