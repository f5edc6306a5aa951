"""What a switch of models costs on this machine, in seconds, and what it is worth.

The cost of answering with a model that is not loaded: the seconds that it takes to load, those to
read the part of the prompt that it has not cached, and for every model that must leave for it and
that is still wanted, the seconds to load it again (and, for the session's own model, to read the
session again). The price of the switch is what that is beyond the cost of staying.

Numbers come from what this machine has measured; where it has not yet, from the defaults here,
which are those of a middling model on a middling disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmstack.routing.ladder import Role

#: Seconds to load a model, and prompt tokens that it reads in a second, where nobody has measured.
LOAD: Final = 15.0
PREFILL: Final = 400.0

#: How often ``switch_cost_limit`` a switch from one role to another may cost.
#:
#: Up the ladder quality is at stake: work with tools that a fast model cannot do is lost, seconds
#: are not. Between equals the words that were found may be mistaken. Down the ladder only speed is
#: to be gained. What the user asked for has no price at all.
WORTH: Final[Mapping[tuple[Role, Role], float]] = MappingProxyType(
    {
        ("fast", "agent"): 3.0,
        ("fast", "ultra"): 3.0,
        ("fast", "plan"): 2.0,
        ("agent", "ultra"): 1.0,
        ("plan", "ultra"): 1.5,
        ("plan", "agent"): 1.5,
        ("agent", "plan"): 1.0,
        ("ultra", "plan"): 0.5,
        ("ultra", "agent"): 0.5,
        ("agent", "fast"): 0.25,
        ("ultra", "fast"): 0.25,
        ("plan", "fast"): 0.25,
    }
)


class Place(msgspec.Struct, frozen=True):
    """How one model is now, for one decision.

    ``ready`` is a model that can answer without a load: it is loaded, or others host it
    (``hosted``). ``loading`` is on its way. ``users`` counts other sessions that lately used it,
    ``busy`` says that it answers somebody at this moment. ``load_seconds`` and ``prefill`` (prompt
    tokens a second) were measured; None for not yet. ``evicts`` are the models that would have to
    leave for it now. ``load`` changes with every load, so that what was cached before one is not
    counted after it.
    """

    ready: bool = False
    hosted: bool = False
    loading: bool = False
    busy: bool = False
    users: int = 0
    load_seconds: float | None = None
    prefill: float | None = None
    evicts: frozenset[str] = frozenset()
    load: int = 0

    def reads(self, tokens: int) -> float:
        """Seconds to read ``tokens`` of a prompt; what others host costs us none."""
        return 0.0 if self.hosted else tokens / (self.prefill or PREFILL)

    def loads(self) -> float:
        """Seconds until it can answer, when nothing is in its way."""
        if self.ready:
            return 0.0
        seconds = LOAD if self.load_seconds is None else self.load_seconds
        return seconds / 2 if self.loading else seconds


#: A model that nothing is known of: asking it is taken to cost nothing.
NOWHERE: Final = Place(ready=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """Every model that may be chosen, by its name. Unknown ones count as ready.

    ``lately`` counts other sessions of each model, as ``Place.users`` does, for whoever would have
    to look for them: it is asked only when a model might have to leave.
    """

    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    lately: Callable[[], Mapping[str, int]] = dict

    def __getitem__(self, model: str) -> Place:
        try:
            return self.places[model]
        except KeyError:
            return NOWHERE

    def wants(self, model: str) -> bool:
        """Whether anybody else wants ``model``: it answers now, or has lately."""
        place = self[model]
        return place.busy or place.users > 0 or self.lately().get(model, 0) > 0


UNKNOWN: Final = Machine()


class Cached(msgspec.Struct, frozen=True):
    """Tokens of a session's prompt that a model had read, in its ``load``."""

    model: str
    tokens: int
    load: int


@dataclass(frozen=True, slots=True)
class Price:
    """Of moving from ``stay`` to ``target``, in seconds, beside what it may cost at most."""

    stay: str
    target: str
    seconds: float
    worth: float

    @property
    def too_high(self) -> bool:
        """Whether the session should stay."""
        return self.seconds > self.worth

    def __str__(self) -> str:
        return f"{self.stay} -> {self.target}: costs {self.seconds:.0f} s, worth {self.worth:.0f} s"


def price_of(
    stay: tuple[str, Role | None],
    target: tuple[str, Role | None],
    tokens: int,
    machine: Machine,
    *,
    cached: tuple[Cached, ...] = (),
    home: str = "",
    limit: float,
) -> Price:
    """The price of answering a prompt of ``tokens`` with ``target`` instead of ``stay``.

    ``home`` is the session's own model, to which it would come back.
    """
    here, there = stay[0], target[0]
    seconds = 0.0
    if not machine[there].ready:
        back = _cost_of_leaving(machine[there].evicts, tokens, machine, home)
        seconds = _cost(there, tokens, machine, cached) + back
        seconds -= _cost(here, tokens, machine, cached)
    worth = limit * (WORTH.get((stay[1], target[1]), 1.0) if stay[1] and target[1] else 1.0)
    return Price(here, there, max(seconds, 0.0), worth)


def _cost(model: str, tokens: int, machine: Machine, cached: tuple[Cached, ...]) -> float:
    place = machine[model]
    known = next((one.tokens for one in cached if one.model == model and one.load == place.load), 0)
    if not place.ready:
        known = 0
    return place.loads() + place.reads(max(tokens - known, 0))


def _cost_of_leaving(victims: frozenset[str], tokens: int, machine: Machine, home: str) -> float:
    """Seconds to bring back what leaves and is still wanted."""
    seconds = 0.0
    for victim in victims:
        place = machine[victim]
        again = LOAD if place.load_seconds is None else place.load_seconds
        if victim == home:
            seconds += again + place.reads(tokens)
        elif machine.wants(victim):
            seconds += again
    return seconds
