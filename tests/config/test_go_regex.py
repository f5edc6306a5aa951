"""Patterns mean what Go makes of them, and what Go refuses is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.go_regex import compile_go


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (r"\.js$", "/a.js", "/a.js\n"),
        (r"(?m)^b$", "a\nb\nc", "ab"),
        (r"(?i)\.JS\z", "/a.js", "/a.jsx"),
        (r"(?:a(?i:b))$", "aB", "AB"),
        (r"^[[:alpha:]_]+$", "Ab_", "é"),
        (r"^[^[:space:]/]+$", "a-b", "a b"),
        (r"^\w+$", "abc", "é"),
        (r"\Qa.b*\E+$", "a.b**", "axb"),
        (r"^\x{e9}$", "é", "e"),
        (r"(?<name>a)(?P<other>b)", "ab", "ba"),
        (r"^a{2,3}?$", "aaa", "a"),
        (r"^a{,2}$", "a{,2}", "aa"),
        (r"^[]a]+$", "]a", "b"),
        (r"^[a&&b||~~]+$", "&|~", "c"),
        (r"^[\d.-]+$", "1.-", "a"),
        (r"(a|b)*", "", None),
    ],
)
def test_a_pattern_means_what_go_makes_of_it(
    pattern: str, matching: str, other: str | None
) -> None:
    compiled = compile_go(pattern)
    assert compiled.search(matching)
    if other is not None:
        assert not compiled.search(other)


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a**", "a++", "*a", "a{2}{3}", "a{1001}", "a{3,2}", "[a", "[b-a]", r"\1", r"a(?=b)",
     "a(?!b)", "(?<=a)b", "(?>a)", "(?P=x)", r"\y", "\\", r"\p{Greek}", "[[:nope:]]",
     r"\x{110000}", "(?z)a", "a(?i)b", "(?U)a", "(?#x)"],
)  # fmt: skip
def test_what_go_refuses_or_python_cannot_do_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        compile_go(pattern)


@given(st.text(r"ab()[]{}*+?|^$\.-:<>P=!imsUx&~1,QE", max_size=20))
def test_no_pattern_does_anything_but_compile_or_be_refused(pattern: str) -> None:
    with suppress(ValueError):
        compile_go(pattern)
