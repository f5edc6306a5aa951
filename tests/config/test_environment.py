"""The ROUTER_* variables over models.ini."""

from __future__ import annotations

import pytest

from llmstack.config import apply_environment, default_ini, parse_stack
from llmstack.config.environment import VARIABLES
from llmstack.errors import ConfigError

STACK = parse_stack(default_ini(), "models.ini").stack


def test_every_variable_overrides_its_setting() -> None:
    """All documented variables take effect."""
    values = {
        "ROUTER_HIGH_FIDELITY_CEILING": "16k",
        "ROUTER_MID_FIDELITY_CEILING": "40_000",
        "ROUTER_MULTI_TURN": "3",
        "ROUTER_PLAN_SIGNAL_WORDS": "sketch, think  it over",
        "ROUTER_AGENT_SIGNAL_WORDS": "hack",
        "ROUTER_ULTRA_TRIGGERS": "[max], max:",
        "ROUTER_UNCENSORED_TRIGGERS": "raw",
        "ROUTER_FAST_MODEL": "plan",
        "ROUTER_AGENT_MODEL": "code-fast",
        "ROUTER_ULTRA_MODEL": "code-smart",
        "ROUTER_PLAN_MODEL": "plan-uncensored",
        "ROUTER_UNCENSORED_MODEL": "planner",
        "ROUTER_STICKY": "off",
        "ROUTER_SWITCH_COST_LIMIT": "2m",
        "ROUTER_HOST": "0.0.0.0",
        "ROUTER_PORT": "20101",
        "ROUTER_TLS_CERT": "/etc/cert.pem",
        "ROUTER_TLS_KEY": "/etc/key.pem",
        "ROUTER_INSECURE": "1",
    }
    assert set(values) == set(VARIABLES)
    stack = apply_environment(STACK, values)
    routing = stack.routing
    assert routing.high_fidelity_ceiling == 16_384
    assert routing.mid_fidelity_ceiling == 40_000
    assert routing.multi_turn == 3
    assert (routing.sticky, routing.switch_cost_limit) == (False, 120)
    assert routing.plan_signal_words == ("sketch", "think it over")
    assert routing.agent_signal_words == ("hack",)
    assert routing.ultra_triggers == ("[max]", "max:")
    assert routing.uncensored_triggers == ("raw",)
    assert dict(routing.players) == {
        "fast": "plan",
        "agent": "code-fast",
        "ultra": "code-smart",
        "plan": "plan-uncensored",
        "plan-uncensored": "plan",
    }
    assert stack.settings.router_host == "0.0.0.0"
    assert stack.settings.router_port == 20_101
    assert stack.settings.tls_cert_file == "/etc/cert.pem"
    assert stack.settings.tls_key_file == "/etc/key.pem"
    assert stack.settings.insecure


def test_an_unknown_tier_in_a_variable_is_an_error() -> None:
    """The error names the variable and the nearest tier."""
    with pytest.raises(
        ConfigError, match=r"ROUTER_FAST_MODEL: no tier is called 'code-fats'.*code-fast"
    ):
        apply_environment(STACK, {"ROUTER_FAST_MODEL": "code-fats"})


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
