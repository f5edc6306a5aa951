"""Reading configurations in tests."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap_loader import parse_swap
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from llmstack.config.problems import Problem
    from llmstack.config.swap import SwapConfig

#: Models for what refers to some, on lines 2 to 5.
MODELS = """
models:
  a: {cmd: "run ${PORT}", aliases: [first]}
  b: {cmd: "run ${PORT}"}
  c: {cmd: "run ${PORT}"}
"""


def parse(text: str, environ: dict[str, str] | None = None) -> SwapConfig:
    """The configuration in ``text``, which must be in order."""
    return parse_swap(dedent(text), "config.yaml", environ or {})


def problems(text: str, environ: dict[str, str] | None = None) -> tuple[Problem, ...]:
    """All problems of ``text``, which must have errors."""
    with pytest.raises(ConfigError) as caught:
        parse(text, environ)
    return caught.value.problems


def only(found: tuple[Problem, ...]) -> Problem:
    """The only problem."""
    assert len(found) == 1, found
    return found[0]


def messages(text: str) -> list[str]:
    """What is wrong, errors and warnings."""
    try:
        return [problem.message for problem in parse(text).warnings]
    except ConfigError as error:
        return [problem.message for problem in error.problems]
