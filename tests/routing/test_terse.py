"""Terse follow-ups are told from messages that have an intent of their own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.routing import is_terse, terse

STEER = """
continue|yes|Yes, please!|ok|OK.|go on|go ahead and do it|fix it|try again|commit it|y|2|option b
looks good, ship it|no, undo that|thanks!|next|still broken|that works|let's go|mach weiter
ja, bitte weiter|nochmal|oui, continue|vas-y|d'accord|sí, hazlo|continúa
sì, vai avanti|sim, pode continuar
ga verder|tak, kontynuuj|да, продолжай|исправь это|evet, devam et|继续|好的|是的。|続けて
はい、お願いします|계속해줘|네|نعم استمر|👍|...
ठीक है।|हाँ, जारी रखो|ทำต่อ|contin\u00faa|continu\u0301a
Klingt gut.|d'accord avec toi|theek hai bhai|suena bien|parece bom|hmm, are you sure?|hm okay
"""
MEANT = """
fix the parser|continue with the database migration|implement it|why?|explain this|run the tests
yes, but plan the rollout first|what does it do|ja, aber erst die Architektur planen|the|it|
continue, and add a test for empty input|write docs
继续实现缓存模块|почему это не работает?|да, но сначала план
how would you do it|[ultra] continue|are you done with the parser|ठीक करो|klingt nach Arbeit
"""


@pytest.mark.parametrize("text", [item for item in STEER.replace("\n", "|").split("|") if item])
def test_a_message_that_only_steers_is_terse(text: str) -> None:
    assert is_terse(text)


@pytest.mark.parametrize("text", MEANT.replace("\n", "|").split("|"))
def test_a_message_that_says_what_to_do_is_not(text: str) -> None:
    assert not is_terse(text)


def test_a_long_message_of_such_words_is_not() -> None:
    assert not is_terse("yes " * 30)


@settings(deadline=None, max_examples=50)
@given(st.from_regex(terse._CHOICE, fullmatch=True))
def test_a_choice_has_few_words(text: str) -> None:
    """So that a longer message in ASCII need not be held against them, nor against whole ones."""
    assert len(text.split()) <= terse._LONGEST_CHOICE
    assert not any(whole.isascii() for whole in terse._WHOLE)
