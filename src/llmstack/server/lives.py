"""Which of our model processes may be asked something beside requests, and since when it lives."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from llmstack.engine import State

if TYPE_CHECKING:
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine, ModelChanged


class Lives:
    """Tells the lives of a model's processes apart, so that what one said is not taken for another.

    ``foreign`` engines run all models behind one address of theirs, where a question would load
    the model that it is about; there nobody may be asked.
    """

    def __init__(self, engine: Engine, *, foreign: bool = False) -> None:
        self._engine = engine
        self._foreign = foreign
        self._numbers = count(1)
        self._lives: dict[str, int] = {}
        self._end = engine.events.subscribe(self._changed)

    def of(self, model: SwapModel) -> int | None:
        """The number of the life of a process that is ready this instant, else None.

        Every life has another number, also after a reload.
        """
        if self._foreign or model.id not in self._engine.config.models:
            return None
        if self._engine.state(model.id) is not State.READY:
            return None
        life = self._lives.get(model.id)
        if life is None:
            life = self._lives[model.id] = next(self._numbers)
        return life

    def close(self) -> None:
        """Listen no longer."""
        self._end()

    def _changed(self, event: ModelChanged) -> None:
        self._lives.pop(event.model, None)
