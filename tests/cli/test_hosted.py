"""Commands on stacks whose tiers are hosted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.cli.hosted_view import print_sources, print_state
from llmstack.config import default_ini

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

INI = """\
[DEFAULT]
llama_server_bin = /nowhere/llama-server
engine = llama-swap
ollama = off
[smart]
role = agent
backend = openai
base_url = https://example.org/v1
model_name = m
model_name_next = n
api_key_env = SOME_KEY
ctx_size = 200000
price_input_per_1m = 3
price_output_per_1m = 15
[ultra]
role = ultra
aws_model_id = x
aws_region = eu-1
aws_profile = nobody-has-this
ctx_size = 200000
[box]
backend = peer
base_url = http://box
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    ini = tmp_path / ".llmstack" / "models.ini"
    ini.parent.mkdir()
    ini.write_text(INI)
    return ini


@pytest.mark.parametrize("variant", ["gguf", "bedrock", "anthropic"])
def test_a_project_begins_with_the_models_that_are_asked_for(
    command: Callable[..., Outcome], tmp_path: Path, variant: str
) -> None:
    assert command("init", "--variant", variant).status == 0
    assert (tmp_path / ".llmstack" / "models.ini").read_text() == default_ini(variant)


def test_a_profile_of_memory_is_for_local_models(command: Callable[..., Outcome]) -> None:
    outcome = command("init", "--variant", "bedrock", "--profile", "32gb")
    assert outcome.status == 1
    assert "no local models to choose" in outcome.err


def test_setup_with_hosted_models_fetches_nothing(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = command("setup", "--variant", "anthropic", HOME=str(tmp_path), SHELL="/bin/none")
    assert outcome.status == 0
    assert "no tier needs a file from the hub" in outcome.out
    assert (tmp_path / ".llmstack" / "opencode.json").is_file()


def test_w5_check_shows_hosted_tiers_and_what_they_lack(
    command: Callable[..., Outcome], project: Path
) -> None:
    """W5: it crashed on any hosted tier. W7, W19: nothing is to run here, so nothing is needed."""
    assert command("configure").status == 0
    outcome = command("check", "--json", SOME_KEY="k")
    report = json.loads(outcome.out)
    assert outcome.status == 0
    assert report["drift"] == []
    assert [(row["tier"], row["backend"], row["place"]) for row in report["hosted"]] == [
        ("smart", "openai", "https://example.org/v1"),
        ("ultra", "bedrock", "eu-1, profile nobody-has-this"),
        ("box", "peer", "http://box"),
    ]
    assert [bool(row["problem"]) for row in report["hosted"]] == [False, True, False]
    out = command("check").out
    assert "smart: m at https://example.org/v1  api_key_env names the variable SOME_KEY" in out
    assert "no profile 'nobody-has-this'" in out
    assert command("check", "--strict", SOME_KEY="k").status == 1


def test_doctor_names_what_hosted_tiers_lack(
    command: Callable[..., Outcome], project: Path
) -> None:
    checks = json.loads(command("doctor", "--json", SOME_KEY="k").out)
    hosted = [one for one in checks if one["name"] == "hosted"]
    assert [one["level"] for one in hosted] == ["ok", "problem", "ok"]
    assert "nobody-has-this" in hosted[1]["finding"]
    (server,) = [one for one in checks if one["name"] == "llama-server"]
    assert server["finding"] == "not needed: no tier runs on this machine"


def test_the_other_commands_leave_hosted_tiers_out_of_what_runs_here(
    command: Callable[..., Outcome], project: Path
) -> None:
    assert "no tier runs on this machine" in command("fit").out
    assert "no tier needs a file" in command("download").out
    models = json.loads(command("models", "--json").out)
    assert [(row["id"], row["state"]) for row in models] == [
        ("auto", ""),
        ("smart", "openai"),
        ("ultra", "bedrock"),
        ("box/...", "peer"),
    ]
    valid = command("config", "validate")
    assert valid.status == 0
    assert "[smart] api_key_env names the variable SOME_KEY" in valid.out
    assert json.loads(command("status", "--json").out)["queued"] == ["smart"]


def test_w11_route_says_which_hosted_tiers_cannot_answer(
    command: Callable[..., Outcome], project: Path
) -> None:
    """W11: a profile that nobody has made every short request an error."""
    routed = command("route", "--json", "fix the test", SOME_KEY="k")
    assert json.loads(routed.out)["model"] == "smart"
    assert "[!] without ultra: the AWS configuration has no profile" in routed.err
    assert json.loads(command("route", "--json", "fix the test").out)["model"] == "ultra"


def test_status_shows_how_hosted_tiers_are_and_what_they_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row: dict[str, Any] = {
        "name": "ultra",
        "backend": "bedrock",
        "model": "x",
        "state": "down",
        "why": "throttled\x1b[2J",
        "retry_in_s": 12.4,
        "spent_today_usd": 1.5,
        "spent_month_usd": 20,
        "budget_usd_per_day": 2,
        "budget_usd_per_month": None,
    }
    print_state([row])
    out = capsys.readouterr().out
    assert "ultra" in out
    assert "bedrock x  $1.50 of $2.00 this day, $20.00 this month" in out
    assert "[!] ultra: throttled" in out
    assert "(again in 12 s)" in out
    assert "\x1b" not in out


def test_status_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason that names the tier is not given its name again; a spent budget is named."""
    spent = {"spent_today_usd": 0.00014, "budget_usd_per_day": 1.0, "over": "budget_usd_per_day"}
    print_state(
        [
            {"name": "a", "backend": "openai", "model": "m", "why": "[a] cannot:\nSet X."},
            {"name": "b", "backend": "openai", "model": "m", **spent},
        ]
    )
    box = {"name": "box", "backend": "peer", "where": "http://b"}
    print_sources([{**box, "models": 1}, {**box, "models": None}])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "     a                              openai m",
        "[!] [a] cannot: Set X.",
        "     b                              openai m  $0.0001 of $1.00 this day",
        "[!] b: budget_usd_per_day is spent, and auto passes it over",
        "     box/...              1 model   peer http://b",
        "     box/...              asked     peer http://b",
    ]


@pytest.mark.parametrize("part", [None, {}, "x", [None, 3, {}], [{"why": 5, "retry_in_s": "x"}]])
def test_status_survives_what_another_version_says(part: object) -> None:
    print_state(part)
    print_sources(part)
