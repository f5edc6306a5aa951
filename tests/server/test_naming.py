"""Selectors and keys where only the state decides: no server needed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256

import pytest

from llmstack.config.swap import ApiKey, Peer, Profile, Selector, SwapConfig, SwapModel
from llmstack.engine import State
from llmstack.errors import ModelNotFound, NothingAvailable, Unauthorized
from llmstack.server.access import Access
from llmstack.server.naming import Naming


@dataclass
class FakeEngine:
    config: SwapConfig
    states: dict[str, State] = field(default_factory=dict)

    def state(self, model: str) -> State:
        return self.states.get(model, State.STOPPED)


def config(*targets: str, spillover: int = 1, **more: object) -> SwapConfig:
    return SwapConfig(
        source="test",
        models={name: SwapModel(name) for name in ("a", "b", "c")},
        selectors={"s": Selector("s", "spillover", targets, spillover)},
        peers={
            "p": Peer("p", "http://p", ("far", "both")),
            "q": Peer("q", "http://q", ("both",)),
        },
        **more,  # type: ignore[arg-type]
    )


def naming(engine: FakeEngine) -> Naming:
    return Naming(engine)  # type: ignore[arg-type]


def take(names: Naming, stack: ExitStack) -> str:
    return stack.enter_context(names.chosen(names.find("s"))).canonical


def test_spillover_begins_with_the_first_cold_one_and_goes_on_when_full() -> None:
    names = naming(FakeEngine(config("a", "p/far", "b", spillover=2)))
    with ExitStack() as stack:
        assert [take(names, stack) for _ in range(6)] == ["a", "a", "p/far", "p/far", "b", "b"]
        assert sorted(take(names, stack) for _ in range(3)) == ["a", "b", "p/far"]
    assert not names._held


def test_the_least_busy_take_turns() -> None:
    engine = FakeEngine(config("a", "b", "c"), {"a": State.READY, "b": State.STARTING})
    names = naming(engine)
    taken = []
    for _ in range(4):
        with ExitStack() as stack:
            taken.append(take(names, stack))
    assert taken == ["a", "b", "a", "b"]


def test_what_is_being_stopped_is_passed_over() -> None:
    engine = FakeEngine(config("a", "b"), {"a": State.STOPPING})
    names = naming(engine)
    with ExitStack() as stack:
        assert take(names, stack) == "b"
    engine.states["b"] = State.STOPPING
    message = 'selector "s" has no available spillover targets'
    with ExitStack() as stack, pytest.raises(NothingAvailable, match=message) as caught:
        take(names, stack)
    assert caught.value.status == 503


def test_the_count_is_given_back_when_the_request_fails() -> None:
    names = naming(FakeEngine(config("a")))
    with pytest.raises(KeyError), names.chosen(names.find("s")):
        raise KeyError
    assert not names._held


def test_a_name_that_several_peers_offer_is_nobodys() -> None:
    with pytest.raises(ModelNotFound) as caught:
        naming(FakeEngine(config("a"))).find("both")
    assert caught.value.what == "no router for requested model"
    assert "p/both, q/both" in caught.value.why


def test_a_new_configuration_counts_at_once_and_keeps_the_profile_if_it_has_it() -> None:
    profile = Profile("on", {"x": "a"})
    engine = FakeEngine(config("a", profiles={"on": profile}))
    names = naming(engine)
    names.active = "on"
    engine.config = config("b", profiles={"on": Profile("on", {"y": "b"})})
    assert names.find("y").canonical == "b"
    with pytest.raises(ModelNotFound):
        names.find("x")
    engine.config = config("a")
    assert names.active is None


def test_keys_follow_the_configuration() -> None:
    engine = FakeEngine(config("a"))
    access = Access(engine)  # type: ignore[arg-type]
    scope = {"headers": [(b"x-api-key", b"k")]}
    access.check(scope)
    engine.config = config("a", api_keys=(ApiKey(sha256(b"other").hexdigest()),))
    with pytest.raises(Unauthorized):
        access.check(scope)
    engine.config = config("a", api_keys=(ApiKey(sha256(b"k").hexdigest(), name="me"),))
    access.check(scope)
    assert scope["llmstack.client"] == "me"
    assert access.outgoing(scope)["headers"] == []
