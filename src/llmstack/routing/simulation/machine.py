"""An imagined machine: what is loaded, what each slot has read, and who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.residency import Residency
    from llmstack.routing.simulation.costs import Cost
    from llmstack.routing.simulation.event import Event

#: Conversations whose prompt a model server keeps at a time.
SLOTS: Final = 4


@dataclass(slots=True)
class _Slot:
    conversation: str
    prefix: str
    prefix_tokens: int
    tokens: int
    used: float


@dataclass(slots=True)
class _Loaded:
    """A model that is loaded from ``ready`` on and answers somebody until ``free``."""

    ready: float
    free: float
    slots: list[_Slot] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Served:
    """How one request went: seconds of the day and what it waited for.

    ``load`` are the seconds of the load that it needed, 0 for none; ``evicted`` who left for it.
    ``read`` are the tokens of its prompt that had to be read.
    """

    begun: float
    ended: float
    load: float
    evicted: frozenset[str]
    read: int


class SimulatedMachine:
    """Models answer one request at a time, in the order in which requests come.

    A load begins when those that must leave have answered. The rule of who leaves is the engine's
    own ``residency``. Prompts that a model has read are lost with its unloading, or when others
    took the slot.
    """

    def __init__(
        self,
        residency: Residency,
        costs: Mapping[str, Cost],
        preload: Iterable[str] = (),
        slots: int = SLOTS,
    ) -> None:
        self.costs = costs
        self._residency = residency
        self._slots = slots
        self._loaded: dict[str, _Loaded] = {}
        self._loads: dict[str, int] = {}
        for model in preload:
            self._loaded[model] = _Loaded(0.0, 0.0)
            self._loads[model] = 1

    @property
    def running(self) -> frozenset[str]:
        """What takes memory."""
        return frozenset(self._loaded)

    def loads(self, model: str) -> int:
        """How often it was loaded so far."""
        return self._loads.get(model, 0)

    def is_ready(self, model: str, now: float) -> bool:
        """Whether it answers without a load."""
        return model in self._loaded and self._loaded[model].ready <= now

    def is_loading(self, model: str, now: float) -> bool:
        """Whether it is on its way."""
        return model in self._loaded and self._loaded[model].ready > now

    def is_busy(self, model: str, now: float) -> bool:
        """Whether it answers somebody."""
        return model in self._loaded and self._loaded[model].free > now

    def evicts(self, model: str) -> frozenset[str]:
        """Who would leave for it."""
        if model in self._loaded:
            return frozenset()
        return self._residency.evict(model, self.running) - {model}

    def expire(self, now: float) -> None:
        """Unload what nobody has asked for longer than its time to live."""
        for model, loaded in list(self._loaded.items()):
            ttl = self.costs[model].ttl
            if ttl and loaded.free + ttl <= now:
                del self._loaded[model]

    def serve(self, model: str, event: Event, now: float) -> Served:
        """Answer ``event``, which comes at ``now``."""
        cost = self.costs[model]
        if cost.hosted:
            return Served(now, now + event.output / cost.decode, 0.0, frozenset(), 0)
        evicted: frozenset[str] = frozenset()
        load = 0.0
        loaded = self._loaded.get(model)
        if loaded is None:
            evicted, load = self.evicts(model), cost.load
            start = max([now, *(self._loaded[victim].free for victim in evicted)])
            for victim in evicted:
                del self._loaded[victim]
            loaded = self._loaded[model] = _Loaded(start + load, start + load)
            self._loads[model] = self.loads(model) + 1
        begun = max(now, loaded.ready, loaded.free)
        read = self._read(loaded, event, begun)
        ended = begun + cost.read(read) + event.output / cost.decode
        loaded.free = ended
        return Served(begun, ended, load, evicted, read)

    def _read(self, loaded: _Loaded, event: Event, now: float) -> int:
        """Tokens to read; the slot that is taken has them all afterwards."""
        slot = next((one for one in loaded.slots if one.conversation == event.conversation), None)
        known = 0
        if slot:
            known = min(slot.tokens, event.tokens)
        else:
            if len(loaded.slots) >= self._slots:
                oldest = min(loaded.slots, key=lambda one: one.used)
                loaded.slots.remove(oldest)
                if oldest.prefix == event.prefix:
                    known = min(oldest.prefix_tokens, event.prefix_tokens)
            slot = _Slot(event.conversation, event.prefix, event.prefix_tokens, 0, now)
            loaded.slots.append(slot)
        slot.tokens, slot.used = event.tokens + event.output, now
        return event.tokens - known
