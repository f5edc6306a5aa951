"""Pointing each agent at a stack."""

from __future__ import annotations

import json
import os
import shlex
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from llmstack.config import parse_stack
from llmstack.errors import LlmstackError
from llmstack.wiring.agents import AGENTS
from llmstack.wiring.endpoint import Endpoint, Place, Wiring
from llmstack.wiring.offer import endpoint

if TYPE_CHECKING:
    from pathlib import Path

STACK = parse_stack(
    "".join(
        f"[{name}]\nrole = {role}\nhf_repo = a/b\nhf_file = {name}.gguf\nctx_size = 64k\n"
        for name, role in (("small", "fast"), ("smart", "agent"), ("planner", "plan"))
    ),
    "models.ini",
).stack
BASE = "http://127.0.0.1:10101"
OPEN = endpoint(STACK, BASE, {"smart": 16_384}, needs_key=False)
KEYED = endpoint(STACK, "https://box.lan/stack", {}, needs_key=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "project", tmp_path / "home", tmp_path / "record.json")


def wired(agent: str, place: Place, to: Endpoint = OPEN) -> Wiring:
    return AGENTS[agent](to, place)


def written(agent: str, place: Place, to: Endpoint = OPEN) -> dict[str, str]:
    return {edit.path.name: edit.text for edit in wired(agent, place, to).edits}


def everywhere(place: Place) -> Place:
    return Place(place.project, place.home, place.record, everywhere=True)


def test_opencode_gets_the_file_that_every_version_reads(place: Place) -> None:
    """W13: version 2 passed over OPENCODE_CONFIG, but reads the project's opencode.json."""
    wiring = wired("opencode", place)
    assert [edit.path for edit in wiring.edits] == [place.project / "opencode.json"]
    config = json.loads(wiring.edits[0].text)
    models = config["provider"]["llama.cpp"]["models"]
    assert config["model"] == "llama.cpp/auto"
    assert config["small_model"] == "llama.cpp/small"
    assert config["agent"]["plan"]["permission"]["edit"] == "deny"
    assert models["smart"]["limit"] == {"context": 16_384, "output": 8192}


def test_claude_code_keeps_its_prompts_in_the_cache(place: Place) -> None:
    """No attribution header, side work on the small tier, and the window that there is."""
    text = written("claude", place)["settings.local.json"]
    environ: dict[str, Any] = json.loads(text)["env"]
    assert environ["ANTHROPIC_BASE_URL"] == BASE
    assert environ["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    assert environ["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "small"
    assert environ["ANTHROPIC_SMALL_FAST_MODEL"] == "small"
    assert environ["CLAUDE_CODE_AUTO_COMPACT_WINDOW"] == "16384"
    assert all(isinstance(value, str) for value in environ.values())


def test_codex_is_started_with_options_or_gets_a_profile(place: Place) -> None:
    """Since 0.134 a profile is a file of its own; a table in config.toml keeps it from starting."""
    project = wired("codex", place)
    assert project.edits == ()
    assert f'base_url="{BASE}/v1"' in project.command
    profile = everywhere(place)
    (edit,) = wired("codex", profile).edits
    assert edit.path == place.home / ".codex" / "llmstack.config.toml"
    config = tomllib.loads(edit.text)
    assert config["model_provider"] == "llmstack"
    assert config["model"] == "auto"
    assert config["model_context_window"] == 16_384
    assert config["model_providers"]["llmstack"]["wire_api"] == "responses"


def test_aider_gets_address_models_and_windows(place: Place) -> None:
    """aider never knows the window of an unknown model, and says so only when it is too late."""
    files = written("aider", place)
    config = yaml.safe_load(files[".aider.conf.yml"])
    assert config["model"] == "openai/auto"
    assert config["weak-model"] == "openai/small"
    assert config["openai-api-base"] == f"{BASE}/v1"
    windows = json.loads(files[".aider.model.metadata.json"])
    assert windows["openai/smart"]["max_input_tokens"] == 16_384


def test_agents_that_count_costs_are_told_those_of_hosted_tiers(place: Place) -> None:
    """aider has prices of one token, opencode of a million."""
    stack = parse_stack(
        "[a]\nbackend = openai\nbase_url = http://x\nmodel_name = m\nctx_size = 200000\n"
        "price_input_per_1m = 3\nprice_output_per_1m = 15\n",
        "models.ini",
    ).stack
    hosted = endpoint(stack, BASE, {}, needs_key=False)
    told = json.loads(written("aider", place, hosted)[".aider.model.metadata.json"])
    opencode = json.loads(written("opencode", place, hosted)["opencode.json"])
    assert opencode["provider"]["llama.cpp"]["models"]["a"]["cost"]["output"] == 15
    for name in ("openai/a", "openai/auto"):
        assert told[name]["max_input_tokens"] == 200_000
        assert told[name]["input_cost_per_token"] * 1_000_000 == pytest.approx(3)
        assert told[name]["output_cost_per_token"] * 1_000_000 == pytest.approx(15)


def test_aiders_own_settings_stay(place: Place) -> None:
    """Comments and other keys are kept; a key that is set twice is a message, not a guess."""
    path = place.project / ".aider.conf.yml"
    path.parent.mkdir(parents=True)
    path.write_text("# mine\nauto-commits: false\n")
    text = written("aider", place)[".aider.conf.yml"]
    assert text.startswith("# mine\nauto-commits: false\n")
    path.write_text(text)
    assert written("aider", place)[".aider.conf.yml"] == text
    path.write_text("model: openai/gpt-5\n")
    with pytest.raises(LlmstackError, match="sets model already"):
        wired("aider", place)


def test_llm_gets_a_directory_of_the_projects_own(place: Place) -> None:
    """The user's own models and keys are not touched."""
    wiring = wired("llm", place)
    folder = place.project / ".llmstack" / "llm"
    assert dict(wiring.environ) == {"LLM_USER_PATH": str(folder)}
    models = yaml.safe_load(wiring.edits[0].text)
    assert [model["model_id"] for model in models] == ["auto", "small", "smart", "planner"]


def test_continue_gets_an_assistant_file_of_its_own(place: Place) -> None:
    """Windows and roles are told; a file of the same name that is not ours is left alone."""
    wiring = wired("continue", place)
    models = yaml.safe_load(wiring.edits[0].text)["models"]
    assert models[2]["defaultCompletionOptions"]["contextLength"] == 16_384
    assert "autocomplete" in models[1]["roles"]
    path = wiring.edits[0].path
    path.parent.mkdir(parents=True)
    path.write_text("name: mine\n")
    with pytest.raises(LlmstackError, match="is not ours"):
        wired("continue", place)


def test_zed_is_only_wired_in_the_users_own_settings(place: Place) -> None:
    """Other settings stay; a file with comments is left alone, with what to add."""
    with pytest.raises(LlmstackError, match="--global"):
        wired("zed", place)
    path = place.home / ".config" / "zed" / "settings.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"theme": "x", "language_models": {"ollama": {"api_url": "y"}}}')
    settings = json.loads(written("zed", everywhere(place))["settings.json"])
    assert settings["theme"] == "x"
    assert settings["language_models"]["ollama"] == {"api_url": "y"}
    provider = settings["language_models"]["openai_compatible"]["llmstack"]
    assert provider["available_models"][2]["max_tokens"] == 16_384
    path.write_text('// mine\n{"theme": "x"}')
    with pytest.raises(LlmstackError, match="left alone") as caught:
        wired("zed", everywhere(place))
    assert '"openai_compatible"' in caught.value.fix


def test_cursor_is_told_apart(place: Place) -> None:
    """It cannot reach localhost, and the message says why."""
    with pytest.raises(LlmstackError, match="makers' servers"):
        wired("cursor", place)


@pytest.mark.parametrize("agent", [name for name in AGENTS if name not in ("cursor", "zed")])
def test_no_file_or_command_holds_a_key(agent: str, place: Place) -> None:
    """A key is named by its variable, or left to the person."""
    wiring = wired(agent, place, KEYED)
    texts = [edit.text for edit in wiring.edits] + [wiring.command]
    assert not any("sk-no-key-required" in text for text in texts)
    told = [*texts, *wiring.notes, *(value for _, value in wiring.environ)]
    assert any("LLMSTACK_API_KEY" in text for text in told)


@pytest.mark.parametrize(
    "agent", [name for name in AGENTS if name not in ("cursor", "zed", "codex")]
)
def test_nothing_outside_of_the_project_is_touched_unless_asked(agent: str, place: Place) -> None:
    """Only --global reaches the user's own files."""
    for edit in wired(agent, place).edits:
        assert place.project in edit.path.parents


def of_this_machine(place: Place, *, needs_key: bool) -> Endpoint:
    file = str(place.project / ".llmstack" / "local-key")
    return endpoint(STACK, BASE, {}, needs_key=needs_key, key_file=file)


@pytest.mark.parametrize("needs_key", [False, True])
def test_opencode_is_told_where_the_key_is_and_goes_on_when_keys_are_made(
    place: Place, needs_key: bool
) -> None:
    """Seen from the project, which others may have elsewhere."""
    here = of_this_machine(place, needs_key=needs_key)
    config = json.loads(written("opencode", place, here)["opencode.json"])
    options = config["provider"]["llama.cpp"]["options"]
    assert options["apiKey"] == "{file:./.llmstack/local-key}"
    config = json.loads(written("opencode", everywhere(place), here)["opencode.json"])
    options = config["provider"]["llama.cpp"]["options"]
    assert options["apiKey"] == f"{{file:{here.key_file}}}"


@pytest.mark.skipif(os.name != "posix", reason="the command is a POSIX one")
def test_claude_code_reads_the_key_itself_when_it_needs_one(place: Place) -> None:
    """The placeholder of an earlier wiring, which would win, goes; a token of the user's stays."""
    path = place.project / ".claude" / "settings.local.json"
    path.parent.mkdir(parents=True)
    path.write_text(written("claude", place)["settings.local.json"])
    assert "sk-no-key-required" in path.read_text()
    here = of_this_machine(place, needs_key=True)
    settings = json.loads(written("claude", place, here)["settings.local.json"])
    assert "ANTHROPIC_AUTH_TOKEN" not in settings["env"]
    assert shlex.split(settings["apiKeyHelper"]) == ["cat", here.key_file]
    path.write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "mine"}}')
    settings = json.loads(written("claude", place, here)["settings.local.json"])
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == "mine"
