"""The expressions of a matrix are read as written, and mistakes are named with their place."""

from __future__ import annotations

import pytest

from llmstack.residency.expression import (
    Either,
    ExpressionError,
    Name,
    Reference,
    Together,
    parse,
)


@pytest.mark.top40(9, "expressions")
def test_and_binds_tighter_than_or() -> None:
    assert parse("a & b | c") == Either((Together((Name("a"), Name("b"))), Name("c")))


def test_parentheses_group_and_white_space_means_nothing() -> None:
    expected = Together((Name("a"), Either((Name("b"), Name("c")))))
    assert parse(" a&( b\n|\tc )") == expected == parse("((a)) & (b | c)")


@pytest.mark.top40(9, "expressions")
def test_a_plus_refers_to_a_set_and_names_take_dots_dashes_and_letters_of_any_script() -> None:
    expected = Together((Reference("base.set"), Name("größe_1"), Name("-x")))
    assert parse("+base.set & größe_1 & -x") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty expression"),
        (" \n ", "empty expression"),
        ("a $ b", "unexpected character '$' at position 3"),
        ("org/model", "unexpected character '/' at position 4"),
        ("a & + b", "expected set name after '+' at position 6"),
        ("(a | b", "missing closing parenthesis for the one at position 1"),
        ("a b", "unexpected token 'b' at position 3"),
        ("a )", "unexpected token ')' at position 3"),
        ("a &", "unexpected end of the expression"),
        ("| a", "unexpected token '|' at position 1"),
        ("()", "unexpected token ')' at position 2"),
        ("(" * 10_000, "parentheses nested deeper than 50"),
    ],
)
def test_a_mistake_says_what_and_where(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value) == message
