"""A requested name goes through profiles, selectors, models and peers, in that order."""

from __future__ import annotations

import pytest

from llmstack.config.names import (
    Disabled,
    Local,
    Names,
    Remote,
    Selected,
    Unknown,
    allows,
    names_of,
)
from llmstack.config.swap import ApiKey, Profile, Selector, SwapConfig
from tests.config.swap_file import MODELS, messages, parse

PEERS = """
peers:
  p: {proxy: "http://p", models: [x, both, a, org/deep]}
  q: {proxy: "http://q", models: [both, first]}
"""
SELECTORS = """
selectors:
  s: {strategy: warm, targets: [b, first], name: S, metadata: {k: 1}, unlisted: true}
  x: {strategy: pin, targets: [q/both]}
"""
PROFILES = """
profiles:
  on: {description: D, pins: {b: s, new: x, c: null, x: "", a: b}}
  off: {pins: {a: p/both}}
"""
ALL = MODELS + PEERS + SELECTORS + PROFILES


@pytest.fixture(scope="module")
def names() -> Names:
    return names_of(parse(ALL))


def test_selectors_and_profiles_are_read() -> None:
    config = parse(ALL)
    assert config.warnings == ()
    assert config.selectors["s"] == Selector(
        "s", "warm", ("b", "first"), name="S", unlisted=True, metadata={"k": 1}
    )
    assert config.profiles["on"] == Profile(
        "on", {"b": "s", "new": "x", "c": None, "x": None, "a": "b"}, "D"
    )


@pytest.mark.top40(12, "local before peer")
@pytest.mark.parametrize(
    ("requested", "target"),
    [
        ("a", Local("a", "a")),
        ("first", Local("a", "first")),
        ("p/a", Remote("p", "a", "p/a")),
        ("q/first", Remote("q", "first", "q/first")),
        ("org/deep", Remote("p", "org/deep", "org/deep")),
        ("p/org/deep", Remote("p", "org/deep", "p/org/deep")),
        ("both", Unknown("both", ("p/both", "q/both"))),
        ("zz", Unknown("zz")),
        ("", Unknown("")),
    ],
)
def test_without_a_profile_local_names_win_over_peers(
    names: Names, requested: str, target: object
) -> None:
    """Top 40 line 12."""
    assert names.resolve(requested) == target


@pytest.mark.top40(12, "profiles, then selectors, then names")
def test_a_selector_comes_before_models_of_peers(names: Names) -> None:
    found = names.resolve("x")
    assert isinstance(found, Selected)
    assert found.targets == (Remote("q", "both", "q/both"),)
    assert names.resolve("x", selectors=False) == Remote("p", "x", "x")
    assert names.resolve("s", selectors=False) == Unknown("s")


@pytest.mark.top40(12, "profiles, then selectors, then names")
def test_a_profile_comes_first_and_its_pins_do_not_chain(names: Names) -> None:
    assert names.resolve("b", "on") == names.resolve("s")
    assert names.resolve("new", "on") == names.resolve("x")
    assert names.resolve("c", "on") == Disabled("c")
    assert names.resolve("x", "on") == Disabled("x")
    assert names.resolve("a", "on") == Local("b", "b")
    assert names.resolve("first", "on") == Local("a", "first")
    assert names.resolve("a", "off") == Remote("p", "both", "p/both")
    assert names.resolve("new", "off") == Unknown("new")
    with pytest.raises(KeyError):
        names.resolve("a", "gone")


def test_every_known_name_resolves(names: Names) -> None:
    found = [names.resolve(name) for name in names.known()]
    assert not any(isinstance(target, Unknown | Disabled) for target in found)
    assert names_of(SwapConfig("")).known() == ()


def test_a_key_is_held_to_canonical_names(names: Names) -> None:
    key = ApiKey("0", models=frozenset({"a", "p/both", "s"}))
    allowed = {name: allows(key, names.resolve(name)) for name in ("first", "b", "s", "x", "zz")}
    assert allowed == {"first": True, "b": False, "s": True, "x": False, "zz": False}
    assert allows(key, names.resolve("p/both"))
    assert not allows(key, Disabled("a"))
    assert allows(ApiKey("0"), Unknown("zz"))


SWAPLESS = "groups: {g: {swap: false, members: [a, b]}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selectors: {' ': {strategy: pin, targets: [a]}}", "selector names cannot be empty"),
        ("selectors: {a: {strategy: pin, targets: [b]}}", 'name conflicts with model ID "a"'),
        (
            "selectors: {first: {strategy: pin, targets: [b]}}",
            'selectors.first: name conflicts with model alias "first"',
        ),
        (
            "selectors: {p/x: {strategy: pin, targets: [b]}}" + PEERS,
            'selectors.p/x: name conflicts with peer model "p/x"',
        ),
        ("selectors: {s: {targets: [a]}}", "selectors.s.strategy is required"),
        (
            "selectors: {s: {strategy: worm, targets: [a]}}",
            'selectors.s.strategy: unknown strategy "worm" (valid: warm, pin, spillover)',
        ),
        (
            "selectors: {s: {strategy: pin}}",
            "selectors.s.targets must contain at least one entry",
        ),
        (
            "selectors: {s: {strategy: pin, targets: []}}",
            "selectors.s.targets must contain at least one entry",
        ),
        (
            "selectors: {s: {strategy: pin, targets: [t]}, t: {strategy: pin, targets: [a]}}",
            'selectors.s.targets: target "t" is a selector',
        ),
        (
            "selectors: {s: {strategy: pin, targets: [zz]}}",
            'selectors.s.targets references unknown model "zz"',
        ),
        (
            "selectors: {s: {strategy: pin, targets: [both]}}" + PEERS,
            'selectors.s.targets references unknown model "both"',
        ),
        (
            "selectors: {s: {strategy: warm, targets: [a, x]}}" + PEERS,
            'selectors.s.targets: warm target "x" is not a local model',
        ),
        (
            "selectors: {s: {strategy: spillover, targets: [a], settings: {spillover: 0}}}",
            "selectors.s.settings.spillover must be >= 1",
        ),
        (
            "selectors: {s: {strategy: pin, targets: [a], settings: {spillover: 2}}}",
            "selectors.s.settings.spillover has no effect with strategy pin",
        ),
        (
            "selectors: {s: {strategy: spillover, targets: [a, first]}}",
            'selectors.s.targets: "a" and "first" are the same model',
        ),
        (
            "selectors: {s: {strategy: spillover, targets: [a, a]}}",
            'selectors.s.targets: "a" and "a" are the same model',
        ),
        (
            "selectors: {s: {strategy: spillover, targets: [a, b]}}",
            "selectors.s.targets: a, b may not be loaded together",
        ),
        (
            SWAPLESS + "selectors: {s: {strategy: spillover, targets: [a, b, c]}}",
            "selectors.s.targets: a, b, c may not be loaded together",
        ),
        (
            (
                "matrix: {sets: {s: a & (b | c)}}\n"
                "selectors: {s: {strategy: spillover, targets: [b, c]}}"
            ),
            "selectors.s.targets: b, c may not be loaded together",
        ),
        ("profiles: {' ': {pins: {x: a}}}", "profiles: profile names cannot be empty"),
        ("profiles: {p: {}}", "profiles.p.pins must contain at least one entry"),
        ("profiles: {p: {pins: {'': a}}}", "profiles.p.pins: pin names cannot be empty"),
        ("profiles: {p: {pins: {x: zz}}}", 'profiles.p.pins.x references unknown model "zz"'),
        (
            "profiles: {p: {pins: {p/x: a}}}" + PEERS,
            'profiles.p.pins: pin "p/x" conflicts with peer model "p/x"',
        ),
        ("profiles: {p: [a, b]}", "profiles.p is in the legacy list syntax"),
    ],
)
def test_mistakes_of_selectors_and_profiles(text: str, message: str) -> None:
    (found,) = messages(MODELS + text)
    assert message in found


@pytest.mark.parametrize(
    "routing",
    [
        SWAPLESS,
        "matrix: {vars: {v: a}, sets: {t: +u | c, u: (v | c) & b}}\n",
        "matrix: {sets: {u: a & +v & b, v: c}}\n",
        "routing: {router: {use: memory}}\n",
    ],
)
def test_spillover_targets_that_may_be_loaded_together_are_fine(routing: str) -> None:
    text = "selectors: {s: {strategy: spillover, targets: [a, b, x], settings: {spillover: 3}}}"
    config = parse(MODELS + routing + text + PEERS)
    assert config.warnings == ()
    assert config.selectors["s"].spillover == 3


@pytest.mark.parametrize("sets", ["{s: 'a &'}", "{s: '(a'}", "{s: a b}", "{s: +s}", "{s: '?'}"])
def test_a_faulty_matrix_is_not_blamed_on_the_selector(sets: str) -> None:
    text = f"matrix: {{sets: {sets}}}\nselectors: {{s: {{strategy: spillover, targets: [a, b]}}}}"
    assert messages(MODELS + text) == []


def test_pin_targets_after_the_first_are_for_reference() -> None:
    """Public configurations list alternatives there."""
    text = "selectors: {s: {strategy: pin, targets: [a, b]}}"
    assert parse(MODELS + text).warnings == ()
