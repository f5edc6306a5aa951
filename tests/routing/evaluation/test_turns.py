"""The labelled set: frozen, as rich as it says, and honestly split."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter

import msgspec
import pytest

from llmstack.errors import LlmstackError
from llmstack.routing.evaluation import read_turns
from llmstack.routing.evaluation.agreement import columns_agree
from llmstack.routing.evaluation.turn import LABELS
from tests.routing.evaluation.turns import SHIPPED, SHIPPED_BYTES, turn

FROZEN = "f44ef7407ef316da05f4b6cb9ed22dafec739be2dce082a0ca76000cf112c5a2"
LANGUAGES = {"de", "en", "es", "fr", "hi", "ja", "pt", "ru", "zh"}


def said(text: str) -> str:
    return re.sub(r"\W+", " ", unicodedata.normalize("NFKC", text).lower()).strip()


def test_the_set_is_frozen() -> None:
    """Numbers of two versions compare only while the turns and labels are the same."""
    assert hashlib.sha256(SHIPPED_BYTES).hexdigest() == FROZEN


def test_the_set_is_large_enough_and_of_many_hands() -> None:
    assert len(SHIPPED) >= 400
    assert len({one.source for one in SHIPPED}) >= 12


@pytest.mark.parametrize("split", ["tune", "test"])
def test_each_split_has_every_kind_label_and_language(split: str) -> None:
    part = [one for one in SHIPPED if one.split == split]
    assert {one.kind for one in part} == {
        "plan", "agent", "fast", "control", "side", "mixed", "log"
    }  # fmt: skip
    assert {one.label_a for one in part} >= set(LABELS) - {"either"}
    assert {one.language for one in part} >= LANGUAGES


def test_a_source_is_in_one_split() -> None:
    assert len({(one.source, one.split) for one in SHIPPED}) == len({one.source for one in SHIPPED})


def test_no_text_of_test_appears_in_tune() -> None:
    tune = {said(one.text) for one in SHIPPED if one.split == "tune"}
    assert not [one.id for one in SHIPPED if one.split == "test" and said(one.text) in tune]


def test_groups_have_one_base_and_one_label_and_other_words_for_it() -> None:
    groups = {one.group for one in SHIPPED if one.group}
    assert len(groups) >= 30
    for group in groups:
        members = [one for one in SHIPPED if one.group == group]
        assert Counter(one.variant for one in members)["base"] == 1
        assert len({one.label_a for one in members}) == 1
        assert len({one.source for one in members}) == 1
        assert len({one.text for one in members}) == len(members) > 1


def test_a_session_stands_somewhere_and_ends_with_its_answer() -> None:
    for one in SHIPPED:
        assert one.standing or not one.session
        assert one.session or not one.standing or one.label_a == "side"
        assert not one.session or one.session[-1].role == "assistant"


def test_the_second_column_is_no_copy_of_the_first() -> None:
    """People differ; columns alike to the last label were not written independently."""
    found = columns_agree(SHIPPED)
    assert found.pairs == 0 or (found.pairs >= 400 and found.observed < 1)


@pytest.mark.parametrize(
    ("label_a", "label_b", "standing", "right"),
    [
        ("plan", None, None, ("plan",)),
        ("plan", "plan", None, ("plan",)),
        ("plan", "agent", None, ("plan", "agent")),
        ("inherit", None, "plan", ("plan",)),
        ("inherit", None, None, ("agent",)),
        ("inherit", "fast", "plan", ("plan", "fast")),
        ("side", None, None, ("fast",)),
        ("side", None, "agent", ("fast", "agent")),
        ("either", None, "fast", ("plan", "agent")),
    ],
)
def test_what_is_right(
    label_a: str, label_b: str | None, standing: str | None, right: tuple[str, ...]
) -> None:
    assert turn(label_a, label_b=label_b, standing=standing).right == right


def test_a_line_that_is_no_turn_is_named_with_what_is_wrong() -> None:
    good = msgspec.json.encode(turn())
    wrong = good.replace(b'"agent"', b'"builder"', 1)
    with pytest.raises(LlmstackError, match=r"mine\.jsonl, line 3") as caught:
        read_turns(good + b"\n\n" + wrong, "mine.jsonl")
    assert "builder" in str(caught.value)


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"id": 1}', b"\xff", b'{"id":"x","extra":1}'])
def test_hostile_lines_are_refused(line: bytes) -> None:
    with pytest.raises(LlmstackError, match="line 1"):
        read_turns(line, "mine.jsonl")


def test_an_id_may_occur_once() -> None:
    good = msgspec.json.encode(turn())
    with pytest.raises(LlmstackError, match="twice"):
        read_turns(good + b"\n" + good, "mine.jsonl")


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(LlmstackError, match="no turns"):
        read_turns(b"\n", "mine.jsonl")
