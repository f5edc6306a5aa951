"""llmstack config."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmstack.cli import main

if TYPE_CHECKING:
    from pathlib import Path

HUB = "hf_repo = o/r\nhf_file = f.gguf\n"
OLD = f"[a]\n; mine\nrole = build\ntier = subagent\n{HUB}"


@pytest.fixture
def ini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMSTACK_WORK_DIR", str(tmp_path))
    monkeypatch.delenv("LLMSTACK_MODELS_INI", raising=False)
    (tmp_path / ".llmstack").mkdir()
    return tmp_path / ".llmstack" / "models.ini"


def test_validate_reports_all_and_exits_1(ini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script sees each problem with its line; a person sees the same as text."""
    ini.write_text(f"[a]\n{HUB}ctx_size = 64,000\nthreds = 4\n")
    assert main(["config", "validate", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    assert [(p["line"], p["severity"]) for p in report["problems"]] == [
        (4, "error"),
        (5, "warning"),
    ]
    assert main(["config", "validate"]) == 1
    assert "1 to mend, 1 warning:" in capsys.readouterr().out


def test_validate_looks_at_the_environment_too(
    ini: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What 'start' would refuse is refused here."""
    ini.write_text(f"[a]\n{HUB}")
    assert main(["config", "validate"]) == 0
    monkeypatch.setenv("ROUTER_PORT", "x")
    assert main(["config", "validate"]) == 1
    assert "ROUTER_PORT" in capsys.readouterr().out


def test_show_prints_json_rows(ini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Section, key, value and origin of everything that holds."""
    ini.write_text(f"[a]\n{HUB}")
    assert main(["config", "show", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"section": "a", "key": "hf_file", "value": "f.gguf", "origin": "line 3"} in rows


def test_migrate_prints_a_diff_and_writes_only_when_asked(
    ini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old file is kept beside the new one."""
    ini.write_text(OLD)
    assert main(["config", "migrate"]) == 0
    assert "-role = build\n+role = fast\n" in capsys.readouterr().out
    assert ini.read_text() == OLD
    assert main(["config", "migrate", "--write"]) == 0
    assert ini.read_text() == OLD.replace("role = build", "role = fast")
    assert ini.with_name("models.ini.bak").read_text() == OLD
    assert main(["config", "migrate", "--write"]) == 0
    assert ini.with_name("models.ini.bak").read_text() == OLD


def test_migrate_never_writes_a_file_that_would_be_refused(
    ini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken file stays as it is, and its problems are named."""
    broken = f"{OLD}ctx_size = many\n"
    ini.write_text(broken)
    assert main(["config", "migrate", "--write"]) == 1
    assert "'many' is not a count of tokens" in capsys.readouterr().err
    assert ini.read_text() == broken


def test_no_file_says_what_to_do(ini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a models.ini there is a hint, not a traceback."""
    assert main(["config", "show"]) == 1
    assert "llmstack setup" in capsys.readouterr().err
