"""Loads, swaps and evictions as the engine tells of them, for the metrics and for rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.engine import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.activity import ModelMetrics
    from llmstack.engine import ModelChanged

_EVICTED_FOR = "evicted for "


class ModelWatch:
    """Counts what happens to models. ``now`` is the clock of ``loading_since``, in seconds."""

    def __init__(self, metrics: ModelMetrics, now: Callable[[], float]) -> None:
        self._metrics = metrics
        self._now = now
        #: When each model was last started and became ready.
        self._loads: dict[str, tuple[float, float]] = {}
        #: Models that others are being stopped for.
        self._displacing: set[str] = set()

    def loading_since(self, model: str, moment: float) -> float:
        """For how long ``model`` was loading after ``moment``, in its last load."""
        started, ready = self._loads.get(model, (0.0, 0.0))
        return max(0.0, ready - max(started, moment))

    def changed(self, event: ModelChanged) -> None:
        """The engine tells of a change."""
        model = event.model
        if event.state is State.STARTING:
            self._loads[model] = (self._now(), 0.0)
            if model in self._displacing:
                self._displacing.discard(model)
                self._metrics.swapped(model)
        elif event.state is State.READY:
            self._loads[model] = (self._loads.get(model, (0.0, 0.0))[0], self._now())
            self._metrics.loaded(model, event.after)
        elif event.state is State.STOPPING:
            reason = event.what
            if reason.startswith(_EVICTED_FOR):
                self._displacing.add(reason.removeprefix(_EVICTED_FOR))
                reason = "swap"
            self._metrics.evicted(model, reason)
        elif event.what in ("crashed", "failed"):
            self._metrics.evicted(model, event.what)
