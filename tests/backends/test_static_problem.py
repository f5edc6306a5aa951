"""What is wrong with a hosted tier before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.backends.static_problem import place_of, static_problem
from llmstack.config import apply_environment, parse_stack
from llmstack.config.hosted import Hosted
from llmstack.hub import aws_profile

if TYPE_CHECKING:
    from pathlib import Path

OPENAI = Hosted(
    "openai",
    model="m",
    base_url="http://x/v1",
    api_key_env="A_KEY",
    headers=(("X-Key", "$B_KEY"), ("X-Title", "costs $5")),
)


def test_a_key_that_is_not_set_is_named() -> None:
    """An empty variable counts as unset; a set one is not repeated."""
    assert static_problem(OPENAI, {"A_KEY": "x", "B_KEY": "y"}) == ""
    assert "api_key_env names the variable A_KEY" in static_problem(OPENAI, {"B_KEY": "y"})
    assert "A_KEY" in static_problem(OPENAI, {"A_KEY": " ", "B_KEY": "y"})
    assert "the header X-Key names the variable B_KEY" in static_problem(OPENAI, {"A_KEY": "x"})


def test_a_local_server_needs_nothing() -> None:
    assert static_problem(Hosted("ollama", model="m"), {}) == ""


def stack_value(lines: str, environ: dict[str, str]) -> Hosted:
    text = f"[a]\nctx_size = 8k\n{lines}\n"
    stack = apply_environment(parse_stack(text, "models.ini").stack, environ)
    found = stack.tiers[0].hosted
    assert found is not None
    return found


@pytest.mark.parametrize(
    "lines",
    [
        "backend = openai\nbase_url = $WHERE\nmodel_name = m",
        "backend = openai\nbase_url = http://${WHERE}/v1\nmodel_name = m",
        "backend = openai\nbase_url = http://x\nmodel_name = $WHERE",
        "aws_model_id = $WHERE",
        "aws_model_id = x\naws_region = $WHERE",
        "aws_model_id = x\naws_profile = ${WHERE}",
        "aws_model_id = x\naws_endpoint_url = https://$WHERE",
    ],
)
def test_variables_stand_in_every_place_and_an_unset_one_is_named(lines: str) -> None:
    """One tier whose variable is missing does not keep the others from being served."""
    assert "the variable WHERE, which is not set" in static_problem(stack_value(lines, {}), {})


def test_what_a_variable_holds_is_checked_like_what_is_written() -> None:
    lines = "backend = openai\nbase_url = $WHERE\nmodel_name = m"
    good = stack_value(lines, {"WHERE": "http://box:1/v1/"})
    assert (good.base_url, static_problem(good, {})) == ("http://box:1/v1", "")
    for bad in ("box", "http://me:hunter2@box", "http://box?key=hunter2"):
        problem = static_problem(stack_value(lines, {"WHERE": bad}), {})
        assert problem.startswith("base_url: ")
        assert "hunter2" not in problem
    region = stack_value("aws_model_id = x\naws_region = $R", {"R": "evil.example.org"})
    assert "not a region" in static_problem(region, {})


@pytest.fixture
def aws(tmp_path: Path) -> dict[str, str]:
    """An environment whose AWS configuration has two profiles, one of them with a region."""
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[default]\noutput = json\n[profile prod]\nregion = eu-central-1\n")
    credentials.write_text("[keys only]\naws_access_key_id = x\naws_secret_access_key = y\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}


@pytest.mark.parametrize(
    ("profile", "region", "environ", "problem"),
    [
        ("prod", "", {}, ""),
        ("", "us-east-1", {}, ""),
        ("", "", {"AWS_DEFAULT_REGION": "us-east-1"}, ""),
        ("", "", {"AWS_PROFILE": "prod"}, ""),
        ("keys only", "us-east-1", {}, ""),
        ("bedrock-prod", "us-east-1", {}, "no profile 'bedrock-prod'; it has default, keys"),
        ("", "us-east-1", {"AWS_PROFILE": "gone"}, "no profile 'gone'"),
        ("", "", {}, "the AWS configuration names no region; write aws_region"),
        ("keys only", "", {}, "the profile 'keys only' names no region"),
    ],
)
def test_w11_a_profile_or_region_that_is_not_there_is_known_before_a_request(
    aws: dict[str, str], profile: str, region: str, environ: dict[str, str], problem: str
) -> None:
    """W11: a profile that nobody has made every short request an error."""
    hosted = Hosted("bedrock", model="x", profile=profile, region=region)
    found = static_problem(hosted, {**aws, **environ})
    assert problem in found
    assert bool(found) == bool(problem)


def test_a_broken_aws_configuration_is_a_sentence(aws: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config").write_text("rubbish\n")
    problem = static_problem(Hosted("bedrock", model="x", region="r"), aws)
    assert "cannot be read" in problem
    assert "\n" not in problem


def test_without_the_extra_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aws_profile, "find_spec", lambda _: None)
    problem = static_problem(Hosted("bedrock", model="x", region="r"), {})
    assert "pip install 'llmstack[bedrock]'" in problem


def test_where_a_tier_is_is_said_in_a_few_words() -> None:
    assert place_of(OPENAI) == "http://x/v1"
    assert place_of(Hosted("bedrock", model="x", region="r", profile="p")) == "r, profile p"
    assert place_of(Hosted("ollama", model="x")) == ""
