"""What llama-swap takes is taken, and what is not meant for it is left alone."""

from __future__ import annotations

import pytest

from tests.config.swap_file import MODELS, parse, problems


@pytest.mark.parametrize(
    "text",
    [
        "groups: {}\nrouting: {router: {use: matrix, settings: {matrix: {sets: {s: a & b}}}}}",
        "routing: {router: {}}\nmatrix: {sets: {s: a & b}}",
        "routing: {router: {settings: {groups: {}}}}\nmatrix: {sets: {s: a & b}}",
        "groups: {}\nmatrix: {sets: {s: a & b}}",
    ],
)
def test_empty_routing_in_one_place_is_no_contradiction_to_the_other(text: str) -> None:
    """As for llama-swap, which counts groups and looks for a router in use."""
    config = parse(MODELS + text)
    assert config.matrix is not None
    assert config.matrix.sets[0].expression == "a & b"
    assert config.warnings == ()


def test_an_empty_choice_is_the_default_as_a_missing_one() -> None:
    config = parse("routing: {router: {use: ''}, scheduler: {use: ''}}\nperformance: {every: 0s}")
    assert (config.matrix, config.memory, config.groups) == (None, None, ())
    assert config.performance.every == 5
    assert config.warnings == ()


def test_parts_for_other_places_are_not_unknown_keys() -> None:
    """Anchors need a place to stand: any key at the top that is anchored, and x- keys anywhere."""
    config = parse(
        """
        defaults: &defaults {ttl: 7, x-note: what all have in common}
        x-more: {anything: 1}
        notes: {}
        models:
          m: {<<: *defaults, cmd: 'run ${PORT}'}
        copied: *defaults
        """
    )
    assert config.models["m"].ttl == 7
    assert [str(each) for each in config.warnings] == [
        "config.yaml:4: warning: unknown key 'notes' is ignored.",
        "config.yaml:7: warning: unknown key 'copied' is ignored.",
    ]


def test_a_problem_shows_neither_passwords_nor_long_texts() -> None:
    found = problems(
        f"models: {{m: {{cmd: 'x ${{PORT}}', env: API_KEY=hunter22}}}}\nui: {'x' * 99}"
    )
    told = " ".join(problem.message for problem in found)
    assert "hunter22" not in told
    assert "API_KEY=***" in told
    assert f"{'x' * 60}...'" in told
    assert "x" * 61 not in told
