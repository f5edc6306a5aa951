"""The real opencode from npm, headless, in a sandbox whose only network is loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.templates import render_demo_ini
from tests.e2e.conftest import CACHE, REPOSITORY
from tests.e2e.loopback_only import wrap
from tests.e2e.stack import assert_nothing_left, models_ini

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "1.18.33"

pytestmark = pytest.mark.timeout(600)  # opencode is 350 MB, and may have to be installed first

#: A proxy that refuses every connection, for machines without network namespaces.
NOWHERE = "http://127.0.0.1:9"

TINY = {
    "files": {"main.py": "print('the secret is 4711')\n"},
    "runs": [
        ["run", "--format", "json", "read main.py"],
        ["run", "create notes.txt with the text buy more bread"],
        ["run", "--format", "json", "run echo hello"],
        ["run", "--agent", "plan", "design a cache"],
        ["run", "--agent", "plan", "create plan.txt with the text buy more bread"],
    ],
}


@pytest.fixture(scope="session")
def opencode() -> str:
    """The path of the opencode program; installed with npm once."""
    npm = shutil.which("npm")
    home = CACHE / "opencode"
    program = home / "node_modules" / ".bin" / "opencode"
    package = home / "node_modules" / "opencode-ai" / "package.json"
    if program.exists() and json.loads(package.read_text("utf-8"))["version"] == VERSION:
        return str(program)
    if npm is None:
        # Where the whole suite must run, a missing npm is a mistake and no reason to pass.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("npm is not installed")
    home.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", f"opencode-ai@{VERSION}", "--prefix", str(home)]
    done = subprocess.run(
        [*install, "--no-audit", "--no-fund"],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(program)


class Session:
    """Runs ``tests.e2e.opencode_session`` and keeps its report."""

    def __init__(self, root: Path, program: str, ini: str, wanted: dict[str, Any]) -> None:
        self.project = root / "project"
        specification = root / "specification.json"
        base = {"root": str(root), "opencode": program, "models_ini": ini, "files": {}}
        specification.write_text(json.dumps({**base, **wanted}), "utf-8")
        command = [sys.executable, "-m", "tests.e2e.opencode_session", str(specification)]
        isolated = wrap(command)
        environ = dict(os.environ)
        if isolated is None:
            proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
            environ |= dict.fromkeys(proxies, NOWHERE)
        try:
            done = subprocess.run(
                isolated or command,
                capture_output=True,
                text=True,
                cwd=REPOSITORY,
                env=environ,
                timeout=500,
                check=False,
            )
        finally:
            assert_nothing_left(root)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert isolated is None or report["interfaces"] == ["lo"]
        self.runs: list[dict[str, Any]] = report["runs"]

    def run(self, number: int) -> dict[str, Any]:
        """The report of one run, which must have succeeded."""
        report = self.runs[number]
        assert report["status"] == 0, report
        return report


def tools_used(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The tool calls that opencode executed: name, input and output."""
    events = [json.loads(line) for line in run["out"].splitlines() if line.startswith("{")]
    parts = [event["part"] for event in events if event["type"] == "tool_use"]
    return [{"tool": part["tool"], **part["state"]} for part in parts]


def answered_by(run: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Model, status and whether ``auto`` chose it, of the chat requests in the gateway's log."""
    pattern = r"POST /v1/chat/completions (\S+) (\d+) \S+ms( auto: )?"
    found = [re.search(pattern, line) for line in run["requests"]]
    return [(match[1], match[2], bool(match[3])) for match in found if match]


@pytest.fixture(scope="session", autouse=True)
def _say_how_isolated(request: pytest.FixtureRequest) -> None:
    if wrap([]) is None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\nno network namespaces here: opencode is kept off the network by dead proxies")


@pytest.fixture(scope="module")
def tiny(opencode: str, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Five turns against a stack whose tiers are all the tiny chat model."""
    model = {"path": str(tiny_chat), "size_gb": "0.1", "sampler": "temp=0"}
    model |= {"ctx_size": "32768", "max_output_tokens": "512"}
    tiers = {
        "code-fast": {"role": "fast", **model},
        "code-smart": {"role": "agent", **model},
        "plan": {"role": "plan", **model},
    }
    return Session(tmp_path_factory.mktemp("tiny"), opencode, models_ini(tiers), TINY)


def test_a_turn_through_auto_against_the_demo_model_gets_an_answer(
    opencode: str, demo_model: Path, tmp_path: Path
) -> None:
    ini = render_demo_ini(demo_model)
    run = Session(tmp_path, opencode, ini, {"runs": [["run", "say hello"]]}).run(0)
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


@pytest.mark.parametrize("number", range(len(TINY["runs"])))
def test_the_title_is_asked_of_the_small_tier(tiny: Session, number: int) -> None:
    assert ("code-fast", "200", False) in answered_by(tiny.run(number))


def test_the_plan_agent_lands_on_the_plan_tier(tiny: Session) -> None:
    run = tiny.run(3)
    assert "Plan for a cache:" in run["out"]
    assert {model for model, _, _ in answered_by(run)} == {"plan", "code-fast"}


def test_the_plan_agent_cannot_write(tiny: Session) -> None:
    tiny.run(4)
    assert not (tiny.project / "plan.txt").exists()
