"""What is wrong with the residency rule of a configuration, as problems instead of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.errors import ConfigError
from llmstack.residency.rules import compile_residency

if TYPE_CHECKING:
    from llmstack.config.problems import Problem
    from llmstack.config.swap import SwapConfig


def residency_problems(config: SwapConfig) -> tuple[Problem, ...]:
    """What ``compile_residency`` would raise, for a loader that reports all problems at once."""
    try:
        compile_residency(config)
    except ConfigError as error:
        return error.problems
    return ()
