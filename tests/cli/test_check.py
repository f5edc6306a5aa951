"""llmstack check."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.test_download import INI, environ, hub, project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstack.config.workdir import WorkDir
    from tests.cli.conftest import Outcome
    from tests.hub.hub_server import Hub

__all__ = ["environ", "hub", "project"]


def states(outcome: Outcome) -> dict[str, str]:
    return {row["file"]: row["state"] for row in json.loads(outcome.out)["files"]}


def test_missing_here_and_newer_files_are_told_apart(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    """A file that was replaced upstream is newer, not missing."""
    command("configure", **environ)
    assert set(states(command("check", "--json", **environ)).values()) == {"missing"}
    assert command("download", **environ).status == 0
    assert set(states(command("check", "--json", **environ)).values()) == {"here"}
    assert command("check", "--strict", **environ).status == 0
    hub.files["o/r/small.gguf"] = b"another"
    assert states(command("check", "--json", **environ))["o/r/small.gguf"] == "newer"
    assert command("check", **environ).status == 0
    assert command("check", "--strict", **environ).status == 1


def test_an_edit_that_was_not_rendered_is_drift(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str]
) -> None:
    """Each tier is named, with what is different."""
    command("configure", **environ)
    project.models_ini.write_text(INI.replace("[b]", "[c]") + "ttl = 5\n")
    report = json.loads(command("check", "--json", **environ).out)
    assert {row["tier"]: row["why"] for row in report["drift"]} == {
        "c": "it is not in llama-swap.yaml",
        "b": "models.ini has no such tier",
    }
    command("configure", **environ)
    assert json.loads(command("check", "--json", **environ).out)["drift"] == []


def test_a_stack_of_local_files_is_told_that_all_is_well(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    (tmp_path / ".llmstack").mkdir(exist_ok=True)
    (tmp_path / ".llmstack" / "models.ini").write_text(f"[a]\nrole = agent\npath = {model}\n")
    assert command("configure").status == 0
    outcome = command("check")
    assert outcome.status == 0
    assert outcome.out.startswith("[OK] no tier needs a file from the hub")


def test_a_repository_that_is_gone_is_a_row_not_a_crash(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str]
) -> None:
    """W5: a problem of one tier does not hide the others."""
    command("download", **environ)
    project.models_ini.write_text(INI + "[z]\nhf_repo = o/gone\nhf_file = z.gguf\n")
    outcome = command("check", **environ)
    assert outcome.status == 0
    assert "z: o/gone/z.gguf  the hub has no repository o/gone" in outcome.out
    assert "[OK] here" in outcome.out
