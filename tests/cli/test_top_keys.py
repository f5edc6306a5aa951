"""Keys are told apart from the sequences that terminals send for arrows and the like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmstack.cli.top_keys import plain_keys

SEQUENCES = ("\x1b[A", "\x1b[1;5q", "\x1bOq", "\x1bq", "\x1b[200~", "\x1b[?25q")


@given(st.lists(st.sampled_from(["x", "j", "Q", *SEQUENCES]), max_size=8), st.data())
def test_no_letter_of_a_sequence_is_a_key_however_it_is_cut(
    keys: list[str], data: st.DataObject
) -> None:
    text = "".join(keys)
    cut = data.draw(st.integers(0, len(text)))
    first, begun = plain_keys(text[:cut])
    second, left = plain_keys(begun + text[cut:])
    assert first + second == "".join(key for key in keys if key not in SEQUENCES)
    assert not left


def test_what_is_only_begun_waits_for_its_rest() -> None:
    assert plain_keys("x\x1b") == ("x", "\x1b")
    assert plain_keys("x\x1b[1;") == ("x", "\x1b[1;")
    assert plain_keys("\x1bO") == ("", "\x1bO")
