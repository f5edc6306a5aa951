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
    """Counts what happens to models. ``now`` is the clock of ``loading_since``, in seconds.

    ``swapped`` is told of every swap that has ended: the model that others made room for, and the
    seconds from the first one's stop until it was ready or had failed.
    """

    def __init__(
        self,
        metrics: ModelMetrics,
        now: Callable[[], float],
        swapped: Callable[[str, float], None] = lambda _model, _seconds: None,
    ) -> None:
        self._metrics = metrics
        self._now = now
        self._swapped = swapped
        #: When each model was last started and became ready.
        self._loads: dict[str, tuple[float, float]] = {}
        #: Models that others are being stopped for, and those that then load, since when.
        self._displacing: dict[str, float] = {}
        self._swapping: dict[str, float] = {}

    def loading_since(self, model: str, moment: float) -> float:
        """For how long ``model`` was loading after ``moment``, in its last load."""
        started, ready = self._loads.get(model, (0.0, 0.0))
        return max(0.0, ready - max(started, moment))

    def loading_from(self, model: str) -> float | None:
        """When the load that is under way began, on the clock; None while there is none."""
        started, ready = self._loads.get(model, (0.0, 0.0))
        return started if started and not ready else None

    def changed(self, event: ModelChanged) -> None:
        """The engine tells of a change."""
        model = event.model
        if event.state is State.STARTING:
            self._loads[model] = (self._now(), 0.0)
            self._swapping.pop(model, None)
            if (since := self._displacing.pop(model, None)) is not None:
                self._swapping[model] = since
                self._metrics.swapped(model)
        elif event.state is State.READY:
            self._loads[model] = (self._loads.get(model, (0.0, 0.0))[0], self._now())
            self._metrics.loaded(model, event.after)
            self._swap_ended(model)
        elif event.state is State.STOPPING:
            reason = event.what
            if reason.startswith(_EVICTED_FOR):
                self._displacing.setdefault(reason.removeprefix(_EVICTED_FOR), self._now())
                reason = "swap"
            self._metrics.evicted(model, reason)
        elif event.what in ("crashed", "failed"):
            self._metrics.evicted(model, event.what)
            self._swap_ended(model)

    def _swap_ended(self, model: str) -> None:
        if (since := self._swapping.pop(model, None)) is not None:
            self._swapped(model, self._now() - since)
