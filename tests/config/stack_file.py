"""Reading a models.ini in tests."""

from __future__ import annotations

from llmstack.config import LoadedStack, Problem, parse_stack
from llmstack.errors import ConfigError

HUB = "hf_repo = o/r\nhf_file = f.gguf\n"


def load(text: str) -> LoadedStack:
    return parse_stack(text, "models.ini")


def problems(text: str) -> list[Problem]:
    """All findings of a text, whether or not it is usable."""
    try:
        return list(load(text).warnings)
    except ConfigError as error:
        return list(error.problems)


def only(text: str) -> Problem:
    (problem,) = problems(text)
    return problem
