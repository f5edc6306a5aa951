"""Which port each model's ``${PORT}`` stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.config.swap_parts import empty

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Ports:
    """Gives ports out, counted from ``start``; ``given`` are those given so far, by model.

    A model has the port that it had ``before``, so that a reload which adds or removes others does
    not change its command. What anybody had before is given to nobody else: a process that is
    leaving may still listen there.
    """

    start: int
    before: Mapping[str, int] = field(default_factory=empty)
    given: dict[str, int] = field(default_factory=dict)
    _next: int = field(init=False)
    _held: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        self._next, self._held = self.start, frozenset(self.before.values())

    def give(self, model: str) -> int:
        """The port of ``model``, which is asked for once."""
        port = self.before.get(model)
        if port is None:
            while self._next in self._held:
                self._next += 1
            port = self._next
            self._next += 1
        self.given[model] = port
        return port
