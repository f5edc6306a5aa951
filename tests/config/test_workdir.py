"""Which directory a command works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.config.workdir import WorkDir, find_work_dir

if TYPE_CHECKING:
    from pathlib import Path


def project(root: Path, name: str = "models.ini") -> Path:
    """A directory made a project."""
    (root / ".llmstack").mkdir(parents=True)
    (root / ".llmstack" / name).touch()
    return root.resolve()


@pytest.mark.parametrize("name", ["models.ini", "opencode.json"])
def test_the_nearest_project_upwards_is_worked_on(tmp_path: Path, name: str) -> None:
    """A thin client has no models.ini, only an opencode.json."""
    outer = project(tmp_path, name)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_work_dir({}, below) == WorkDir(outer)


def test_without_a_project_it_is_the_current_directory(tmp_path: Path) -> None:
    assert find_work_dir({}, tmp_path) == WorkDir(tmp_path)


def test_a_variable_that_the_user_set_wins(tmp_path: Path) -> None:
    named, other = project(tmp_path / "named"), project(tmp_path / "named" / "other")
    environ = {"LLMSTACK_WORK_DIR": str(named)}
    assert find_work_dir(environ, other) == WorkDir(named)


def test_in_a_wired_shell_a_nested_project_is_nearer(tmp_path: Path) -> None:
    """W21: after init in a nested directory, configure rewrote the parent."""
    parent = project(tmp_path / "parent", "opencode.json")
    wired = {"LLMSTACK_WORK_DIR": str(parent), "LLMSTACK_ACTIVE": "1"}
    child = parent / "child"
    child.mkdir()
    assert find_work_dir(wired, child) == WorkDir(parent)
    project(child)
    assert find_work_dir(wired, child) == WorkDir(child)
    assert find_work_dir(wired, tmp_path) == WorkDir(parent), "the shell stays with its project"
