"""Calibrations survive being written down, and a file cannot make them unsafe."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context import calibrations
from llmstack.context.calibration import UNKNOWN
from llmstack.context.calibrations import MOST, Calibrations
from llmstack.context.estimate import Sizes

SIZES = Sizes(latin=10_000, items=5)


def taught(*models: str) -> Calibrations:
    known = Calibrations()
    for model in models:
        assert known.learn(model, SIZES, 2500)
    return known


def test_what_was_learned_is_read_back() -> None:
    known = taught("one", "two/with:tag")
    again = Calibrations.loads(known.dumps())
    assert again.of("one") == known.of("one") != UNKNOWN
    assert again.of("two/with:tag") == known.of("two/with:tag")
    assert again.of("three") is UNKNOWN
    assert again.dumps() == known.dumps()


def test_an_impossible_report_is_no_news() -> None:
    known = Calibrations()
    assert not known.learn("one", SIZES, 0)
    assert len(known) == 0


def test_the_models_that_were_heard_of_last_are_kept() -> None:
    known = taught("first", *(f"model {number}" for number in range(MOST - 1)))
    known.learn("first", SIZES, 2500)
    known.learn("newest", SIZES, 2500)
    assert len(known) == MOST
    assert known.of("first") is not UNKNOWN
    assert known.of("model 0") is UNKNOWN


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"version": 2}', b'{"models": {}}', b"\xff"])
def test_another_kind_of_file_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Calibrations.loads(text)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("prices", [0.0] * 6),
        ("prices", [0.3] * 5),
        ("prices", ["x"] * 6),
        ("covariance", [1e9] * 36),
        ("covariance", [0.0] * 36),
        ("seen", -1),
        ("error", 7.0),
        ("odd", 40),
    ],
)
def test_an_entry_that_is_not_sound_is_left_out(member: str, value: object) -> None:
    file = json.loads(taught("bad", "good").dumps())
    file["models"]["bad"][member] = value
    known = Calibrations.loads(json.dumps(file).encode())
    assert known.of("bad") is UNKNOWN
    assert known.of("good") is not UNKNOWN


@given(st.dictionaries(st.text(max_size=9), st.recursive(st.none() | st.floats(), st.lists)))
def test_any_json_is_read_or_refused(models: dict[str, object]) -> None:
    text = json.dumps({"version": calibrations.VERSION, "models": models})
    try:
        known = Calibrations.loads(text.encode())
    except ValueError:
        return
    assert len(known) == 0
