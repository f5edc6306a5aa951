"""How requests are fitted is said per model, checked, and reaches the engine's configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.config import parse_stack
from llmstack.config.context_settings import ContextSettings
from llmstack.config.render import render_swap
from llmstack.config.swap_loader import parse_swap
from llmstack.context.settings import ContextSettings as Reexported
from tests.config.stack_file import HUB
from tests.config.stack_file import only as only_ini
from tests.config.swap_file import only, parse, problems


def model(body: str) -> str:
    return f"models: {{m: {{cmd: 'run ${{PORT}}', {body}}}}}"


def test_a_model_that_says_nothing_is_served_as_llama_swap_does() -> None:
    """Its requests pass as they are; one key is enough for the defaults of all others."""
    untouched = ContextSettings("off", hygiene=False)
    assert parse(model("name: x")).models["m"].context == untouched
    assert parse(model("contextTarget: 0.6")).models["m"].context == ContextSettings()
    assert ContextSettings().policy == "limit_only"
    assert Reexported is ContextSettings


def test_every_key_of_a_model_is_read() -> None:
    text = (
        "contextPolicy: llm_assisted, truncationMode: strict_error, contextTrigger: 0.9, "
        "contextTarget: 0.5, contextKeepRecent: 2, promptHygiene: false"
    )
    config = parse(model(text))
    assert config.models["m"].context == ContextSettings(
        "llm_assisted", "strict_error", 0.9, 0.5, 2, hygiene=False
    )
    assert config.warnings == ()


@pytest.mark.parametrize("written", ["' Strict_Error '", "STRICT_ERROR"])
def test_names_are_read_in_any_case_and_without_blanks(written: str) -> None:
    read = parse(model(f"truncationMode: {written}, contextPolicy: Off"))
    assert (read.models["m"].context.truncation, read.models["m"].context.policy) == (
        "strict_error",
        "off",
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("truncationMode: slidingwindow", ("slidingwindow", "sliding_window, strict_error")),
        ("contextPolicy: auto", ("auto", "off, limit_only, always, llm_assisted")),
        ("contextTrigger: 1.5", ("contextTrigger", "above 0 and up to 1")),
        ("contextTrigger: 0", ("contextTrigger", "above 0 and up to 1")),
        ("contextTarget: much", ("contextTarget", "expected a number")),
        ("contextTarget: 0.9", ("contextTarget", "0.9", "0.85")),
        ("contextTrigger: 0.5", ("contextTrigger", "0.6", "0.5")),
        ("contextKeepRecent: -1", ("contextKeepRecent", ">= 0")),
    ],
)
def test_a_wrong_value_is_an_error_that_names_what_is_possible(
    body: str, words: tuple[str, ...]
) -> None:
    problem = only(problems(model(body)))
    assert problem.severity == "error"
    assert all(word in problem.message for word in words), problem.message


def test_a_tier_inherits_from_default_what_it_does_not_say() -> None:
    text = (
        "[DEFAULT]\ncontext_policy = always\nprompt_hygiene = off\n"
        f"[a]\n{HUB}truncation_mode = Strict_Error\ncontext_trigger = .8\ncontext_target = 0.4\n"
        f"context_keep_recent = 6\n[b]\n{HUB}context_policy = off\n"
    )
    stack = parse_stack(text, "models.ini").stack
    first, second = stack.tiers
    assert first.context == ContextSettings("always", "strict_error", 0.8, 0.4, 6, hygiene=False)
    assert second.context == ContextSettings("off", hygiene=False)
    assert stack.settings.context == ContextSettings("always", hygiene=False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("truncation_mode = cut", ("sliding_window, strict_error",)),
        ("context_policy = some", ("off, limit_only, always, llm_assisted",)),
        ("context_target = 0.9", ("0.9", "0.85")),
        ("context_trigger = 0", ("'0'",)),
        ("context_trigger = 2", ("'2'",)),
        ("context_keep_recent = -3", ("'-3'",)),
        ("prompt_hygiene = perhaps", ("perhaps",)),
    ],
)
def test_a_wrong_line_is_one_error_with_its_place(line: str, words: tuple[str, ...]) -> None:
    problem = only_ini(f"[a]\n{HUB}{line}\n")
    assert problem.severity == "error"
    assert problem.line == 4
    assert all(word in problem.message for word in words), problem.message


def test_what_a_tier_says_reaches_the_engine_but_not_another_program() -> None:
    """Unknown keys would be marked in an editor that shows a real llama-swap's file."""
    text = f"[a]\n{HUB}context_policy = off\ncontext_target = 0.3\n[b]\n{HUB}"
    stack = parse_stack(text, "models.ini").stack
    rendered = render_swap(stack, llama_server=("llama-server",))
    config = parse_swap(rendered, "llama-swap.yaml", {})
    assert config.models["a"].context == stack.tiers[0].context
    assert config.models["a"].context == ContextSettings("off", target=0.3)
    assert rendered.count("context") == 2
    other = replace(stack, settings=replace(stack.settings, engine="llama-swap"))
    assert "context" not in render_swap(other, llama_server=("llama-server",))
