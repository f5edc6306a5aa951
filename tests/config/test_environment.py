"""The ROUTER_* variables over models.ini."""

from __future__ import annotations

import pytest

from llmstack.config import apply_environment, default_ini, parse_stack
from llmstack.config.environment import VARIABLES
from llmstack.errors import ConfigError

STACK = parse_stack(default_ini(), "models.ini").stack


def test_every_variable_overrides_its_setting() -> None:
    """All documented variables take effect."""
    values = ("16k", "40_000", "3", "0.0.0.0", "20101")
    stack = apply_environment(STACK, dict(zip(VARIABLES, values, strict=True)))
    assert stack.routing.high_fidelity_ceiling == 16_384
    assert stack.routing.mid_fidelity_ceiling == 40_000
    assert stack.routing.multi_turn == 3
    assert stack.settings.router_host == "0.0.0.0"
    assert stack.settings.router_port == 20_101


def test_empty_and_other_variables_change_nothing() -> None:
    """An empty variable counts as unset."""
    assert apply_environment(STACK, {"ROUTER_PORT": "", "PORT": "1"}) == STACK


def test_all_bad_values_are_reported_at_once() -> None:
    """Every bad variable is named with what to write."""
    environ = {"ROUTER_PORT": "99999", "ROUTER_MULTI_TURN": "0", "ROUTER_HOST": "a b"}
    with pytest.raises(ConfigError) as caught:
        apply_environment(STACK, environ)
    named = {problem.message.split(":")[0] for problem in caught.value.problems}
    assert named == set(environ)
    assert all(problem.fix and problem.file == "environment" for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ROUTER_HIGH_FIDELITY_CEILING": "33000"}, "is above mid_fidelity_ceiling 32000"),
        ({"ROUTER_PORT": "10102"}, "both get port 10102"),
        ({"ROUTER_PORT": "10003"}, "the models get ports 10001 to 10004"),
    ],
)
def test_values_that_do_not_fit_the_file_are_refused(environ: dict[str, str], message: str) -> None:
    """A value that is fine alone must also fit what the file says."""
    with pytest.raises(ConfigError, match=message):
        apply_environment(STACK, environ)
