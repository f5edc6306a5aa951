"""Why models did not start, for those who look later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.engine import State

if TYPE_CHECKING:
    from llmstack.engine import Engine, ModelChanged


class Failures:
    """What each model's last start is blamed on, or its sudden end; until it starts again."""

    def __init__(self, engine: Engine) -> None:
        self._why: dict[str, str] = {}
        engine.events.subscribe(self._changed)

    def of(self, model: str) -> str | None:
        """The reason, with the last lines of its output where they are known."""
        return self._why.get(model)

    def _changed(self, event: ModelChanged) -> None:
        if event.state is State.STARTING:
            self._why.pop(event.model, None)
        elif event.what in ("failed", "crashed"):
            self._why[event.model] = str(event.error or "its process ended by itself")
