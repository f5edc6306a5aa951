"""What a requested name means now: the active profile, and what selectors choose."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmstack.config.names import Disabled, Local, Selected, Unknown, names_of, with_hosted
from llmstack.engine import State
from llmstack.errors import ModelNotFound, NothingAvailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.names import Choice, Names, Target
    from llmstack.config.swap import SwapConfig
    from llmstack.engine import Engine

#: Characters of an unknown name that an error repeats; clients may send megabytes.
SHOWN = 200

#: The one message for a request without a model, or with one that a profile has switched off.
NO_MODEL = "no model id could be identified"


class Naming:
    """The names of the engine's present configuration and the state that gives them meaning.

    A new configuration keeps the active profile if it still has one of that name. ``upstreams``
    adds what others host.
    """

    def __init__(self, engine: Engine, upstreams: Upstreams | None = None) -> None:
        self._engine = engine
        self._upstreams = upstreams
        self._version = -1
        self._config: SwapConfig | None = None
        self._names: Names
        self._active: str | None = None
        self._held: Counter[tuple[str, str]] = Counter()  # (selector, target's canonical name)
        self._turns: Counter[str] = Counter()
        self._longest = 0

    @property
    def names(self) -> Names:
        """All names."""
        config, upstreams = self._engine.config, self._upstreams
        if config is not self._config or (upstreams and upstreams.version != self._version):
            self._names = names_of(config)
            if upstreams:
                self._version = upstreams.version
                self._names = with_hosted(self._names, upstreams.aliases, upstreams.found_names())
            self._config = config
            if self._active not in config.profiles:
                self._active = None
            pins = (pin for profile in config.profiles.values() for pin in profile.pins)
            names = self._names
            known = (*names.local, *names.hosted, *names.canonical, *names.bare, *pins)
            self._longest = max((name.count("/") + 1 for name in known), default=0)
        return self._names

    @property
    def longest(self) -> int:
        """The largest number of segments between slashes that any name has."""
        _ = self.names
        return self._longest

    @property
    def active(self) -> str | None:
        """The active profile."""
        _ = self.names
        return self._active

    @active.setter
    def active(self, name: str | None) -> None:
        self._active = name or None

    def pins(self) -> dict[str, str | None]:
        """The pins of the active profile."""
        active = self.active
        return dict(self._engine.config.profiles[active].pins) if active else {}

    def find(self, requested: str) -> Choice | Selected:
        """What ``requested`` stands for.

        Raises:
            ModelNotFound: it is empty, unknown or switched off.
        """
        if not requested:
            raise ModelNotFound(NO_MODEL)
        target = self.names.resolve(requested, self._active)
        if isinstance(target, Disabled):
            raise ModelNotFound(NO_MODEL)
        if isinstance(target, Unknown):
            raise unknown(target, requested)
        return target

    def find_any(self, name: str) -> Target:
        """What a name stands for without a profile; Unknown and Disabled are answers too."""
        return self.names.resolve(name)

    def find_model(self, name: str) -> Target:
        """The model of that name, past selectors; Unknown and Disabled are answers too."""
        return self.names.resolve(name, self._active, selectors=False)

    @contextmanager
    def chosen(self, target: Choice | Selected) -> Iterator[Choice]:
        """The model that serves ``target``, counted for its selector until the end of the block.

        Raises:
            NothingAvailable: every target of the selector is being stopped.
        """
        if not isinstance(target, Selected):
            yield target
            return
        choice = self._choose(target)
        place = target.selector.id, choice.canonical
        self._held[place] += 1
        try:
            yield choice
        finally:
            self._held[place] -= 1
            if not self._held[place]:
                del self._held[place]

    def _choose(self, target: Selected) -> Choice:
        match target.selector.strategy:
            case "spillover":
                return self._spill(target)
            case "warm":
                return self._warmest(target)
            case _:
                return first(target)

    def _warmest(self, target: Selected) -> Choice:
        states = [self._state(one) for one in target.targets]
        for state in (State.READY, State.STARTING):
            if state in states:
                return target.targets[states.index(state)]
        return first(target)

    def _spill(self, target: Selected) -> Choice:
        selector = target.selector
        active: list[Choice] = []
        cold: list[Choice] = []
        for one in target.targets:
            state = self._state(one)
            if state is State.STOPPING:
                continue
            busy = self._held[selector.id, one.canonical] > 0
            up = state in (State.READY, State.STARTING)
            (active if busy or up else cold).append(one)
        if not active and not cold:
            raise none_available(selector.id)
        counts = [self._held[selector.id, one.canonical] for one in active]
        if cold and (not active or min(counts) >= selector.spillover):
            return cold[0]
        least = [one for one, count in zip(active, counts, strict=True) if count == min(counts)]
        turn = self._turns[selector.id]
        self._turns[selector.id] += 1
        return least[turn % len(least)]

    def _state(self, target: Choice) -> State | None:
        return self._engine.state(target.id) if isinstance(target, Local) else None


def first(target: Selected) -> Choice:
    """The first target of a selector."""
    if not target.targets:
        raise none_available(target.selector.id)
    return target.targets[0]


def none_available(selector: str) -> NothingAvailable:
    """The error for a selector that cannot serve."""
    return NothingAvailable(f'selector "{selector}" has no available spillover targets')


def unknown(target: Unknown, requested: str) -> ModelNotFound:
    """The error for a name that means nothing."""
    shown = repr(shortened(requested))
    if target.candidates:
        why = f"{shown} is offered by several peers: {', '.join(target.candidates)}"
    else:
        why = f"{shown} is not a model or alias of this configuration"
    return ModelNotFound("no router for requested model", why=why)


def shortened(name: str) -> str:
    """``name``, or its beginning if it is longer than any name of a model."""
    return name if len(name) <= SHOWN else f"{name[:SHOWN]}\u2026"
