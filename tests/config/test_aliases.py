"""Which other names a tier of models.ini answers to."""

from __future__ import annotations

import pytest

from tests.config.stack_file import HUB, load, only


def test_w8_two_tiers_of_one_role_do_not_share_aliases() -> None:
    """W8: the first tier of a role gets the role's names."""
    first, second = load(f"[a]\nrole = fast\n{HUB}[b]\nrole = fast\n{HUB}").stack.tiers
    assert first.aliases == ("fast", "small", "autocomplete")
    assert second.aliases == ()


def test_default_aliases_step_back() -> None:
    """A name that is a section, or is written elsewhere, is not also a default alias."""
    text = f"[plan]\nrole = plan\n{HUB}[b]\naliases = chat\n{HUB}"
    plan, other = load(text).stack.tiers
    assert plan.aliases == ("planner",)
    assert other.aliases == ("chat",)


def test_written_aliases_replace_the_defaults() -> None:
    """Commas and blanks separate, doubles go, and an empty list means none."""
    first, second = load(
        f"[a]\nrole = fast\naliases = x, y z x\n{HUB}[b]\nrole = agent\naliases =\n{HUB}"
    ).stack.tiers
    assert first.aliases == ("x", "y", "z")
    assert second.aliases == ()


def test_an_alias_clash_names_both_lines() -> None:
    """Two tiers cannot have one name."""
    problem = only(f"[a]\naliases = x\n{HUB}[b]\naliases = x\n{HUB}")
    assert problem.line == 6
    assert "already an alias of [a] on line 2" in problem.message


@pytest.mark.parametrize(
    ("alias", "message"),
    [("b", "name of the section on line 5"), ("auto", "automatic routing"), ("a$b", "not a name")],
)
def test_names_that_are_taken_or_odd_are_refused(alias: str, message: str) -> None:
    """An alias is a free, plain name."""
    assert message in only(f"[a]\naliases = {alias}\n{HUB}[b]\n{HUB}").message


def test_aliases_in_default_clash_with_themselves() -> None:
    """An alias for all tiers can belong to one only."""
    text = "[DEFAULT]\naliases = x\npath = /m\n[a]\n[b]\n"
    assert "both [a] and [b] would be called x" in only(text).message
