"""The real opencode from npm, headless, in a sandbox whose only network is loopback.

It is wired in both ways that there are: by the file that ``install`` writes, which the variable
OPENCODE_CONFIG names, and by the project's own file, which ``connect`` writes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.templates import render_demo_ini
from tests.e2e.agents import Session, answered_by, npm_program, tiny_stack
from tests.e2e.loopback_only import wrap
from tests.e2e.stack import models_ini

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # opencode is 350 MB, and may have to be installed first

QUIET = {
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
}
INSTALLED = {
    "wiring": [["install"]],
    "environ": {**QUIET, "OPENCODE_CONFIG": "{project}/.llmstack/opencode.json"},
}
#: What was connected before there was a key goes on when there is one.
CONNECTED = {
    "wiring": [["connect", "opencode", "--yes"], ["keys", "add", "somebody"]],
    "environ": QUIET,
}

FILES = {"main.py": "print('the secret is 4711')\n"}
RUNS = [
    ["run", "--format", "json", "read main.py"],
    ["run", "create notes.txt with the text buy more bread"],
    ["run", "--format", "json", "run echo hello"],
    ["run", "--agent", "plan", "design a cache"],
    ["run", "--agent", "plan", "create plan.txt with the text buy more bread"],
    ["run", "--command", "review", "main.py"],
    ["run", "--command", "nofilter", "say hello"],
]


@pytest.fixture(scope="session")
def opencode() -> str:
    """The path of the opencode program."""
    return npm_program("opencode", "opencode-ai", "1.18.33", "opencode")


def tools_used(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls that opencode executed: name, input and output."""
    events = [json.loads(line) for line in run["out"].splitlines() if line.startswith("{")]
    parts = [event["part"] for event in events if event["type"] == "tool_use"]
    return [{"tool": part["tool"], **part["state"]} for part in parts]


@pytest.fixture(scope="session", autouse=True)
def _say_how_isolated(request: pytest.FixtureRequest) -> None:
    if wrap([]) is None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\nno network namespaces here: agents are kept off the network by dead proxies")


@pytest.fixture(scope="module")
def tiny(opencode: str, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Turns against tiers that are all the tiny chat model, wired by ``install``."""
    ini = tiny_stack(tiny_chat, "plan", "plan-uncensored")
    runs = [[opencode, *arguments] for arguments in RUNS]
    root = tmp_path_factory.mktemp("installed")
    return Session(root, ini, {**INSTALLED, "files": FILES, "runs": runs})


@pytest.fixture(scope="module")
def connected(opencode: str, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Two of the turns, wired by ``connect opencode``."""
    ini = tiny_stack(tiny_chat, "plan")
    runs = [[opencode, *RUNS[0]], [opencode, *RUNS[4]]]
    root = tmp_path_factory.mktemp("connected")
    return Session(root, ini, {**CONNECTED, "files": FILES, "runs": runs})


def test_a_turn_through_auto_against_the_demo_model_gets_an_answer(
    opencode: str, demo_model: Path, tmp_path: Path
) -> None:
    ini = render_demo_ini(demo_model)
    wanted = {**INSTALLED, "runs": [[opencode, "run", "say hello"]]}
    run = Session(tmp_path, ini, wanted).run(0)
    assert run["out"].strip()
    assert ("code-smart", "200", True) in answered_by(run)


def test_a_tool_that_the_model_asks_for_is_executed_and_its_result_answered(tiny: Session) -> None:
    run = tiny.run(0)
    (used,) = tools_used(run)
    assert used["tool"] == "read"
    assert used["status"] == "completed"
    assert "the secret is 4711" in used["output"]
    assert "I have read main.py." in run["out"]
    assert (
        answered_by(run).count(("code-smart", "200", True)) == 2
    )  # the call, and the closing words


def test_a_file_that_the_model_is_asked_for_is_there(tiny: Session) -> None:
    assert "created notes.txt" in tiny.run(1)["out"]
    assert (tiny.project / "notes.txt").read_text("utf-8") == "buy more bread\n"


def test_a_command_is_run_and_its_output_reported(tiny: Session) -> None:
    run = tiny.run(2)
    (used,) = tools_used(run)
    assert used["tool"] == "bash"
    assert used["input"]["command"] == "echo hello"
    assert "hello" in used["output"]
    assert "The command printed: hello" in run["out"]


@pytest.mark.parametrize("number", range(5))
def test_the_title_is_asked_of_the_small_tier(tiny: Session, number: int) -> None:
    assert ("code-fast", "200", False) in answered_by(tiny.run(number))


def test_the_plan_agent_lands_on_the_plan_tier(tiny: Session) -> None:
    run = tiny.run(3)
    assert "Plan for a cache:" in run["out"]
    assert {model for model, _, _ in answered_by(run)} == {"plan", "code-fast"}


def test_the_plan_agent_cannot_write(tiny: Session) -> None:
    tiny.run(4)
    assert not (tiny.project / "plan.txt").exists()


@pytest.mark.parametrize(
    ("number", "tier"), [(5, "plan"), (6, "plan-uncensored")], ids=["review", "nofilter"]
)
def test_a_command_lands_on_its_tier(tiny: Session, number: int, tier: str) -> None:
    answers = answered_by(tiny.run(number))
    assert (tier, "200", False) in answers
    assert {model for model, _, _ in answers} <= {tier, "code-fast"}


def test_connected_without_a_variable_a_tool_is_used_through_auto(connected: Session) -> None:
    """W13: a version of opencode did not look at OPENCODE_CONFIG; this does not depend on it."""
    run = connected.run(0)
    (used,) = tools_used(run)
    assert "the secret is 4711" in used["output"]
    assert answered_by(run).count(("code-smart", "200", True)) == 2
    assert ("code-fast", "200", False) in answered_by(run)


def test_connected_the_plan_agent_is_on_its_tier_and_cannot_write(connected: Session) -> None:
    assert ("plan", "200", False) in answered_by(connected.run(1))
    assert not (connected.project / "plan.txt").exists()


def test_a_tool_is_used_through_a_hosted_tier(
    opencode: str, tiny_chat: Path, tmp_path: Path
) -> None:
    """The agent's tier is at a server that speaks OpenAI's API: here the engine's own door."""
    settings = {"path": str(tiny_chat), "size_gb": "0.1", "sampler": "temp=0", "ctx_size": "32768"}
    there = {"backend": "openai", "base_url": "{door}", "model_name": "code-fast"}
    tiers = {
        "code-fast": {"role": "fast", **settings},
        "code-smart": {"role": "agent", **there, "ctx_size": "32768", "sampler": "temp=0"},
    }
    ini = models_ini(tiers, ollama="off", max_output_tokens="512")
    runs = [[opencode, *RUNS[0]]]
    run = Session(tmp_path, ini, {**INSTALLED, "files": FILES, "runs": runs}).run(0)
    (used,) = tools_used(run)
    assert used["tool"] == "read"
    assert "the secret is 4711" in used["output"]
    assert "I have read main.py." in run["out"]
    assert answered_by(run).count(("code-smart", "200", True)) == 2
