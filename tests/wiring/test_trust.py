"""The allow-list: what the user allowed, with the content that it had."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from llmstack.wiring import trust
from llmstack.wiring.trust import UntrustworthyError, allow, changes, deny, state, trust_dir

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of the test's own."""
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project."""
    folder = tmp_path / "project" / ".llmstack"
    (folder / "agents").mkdir(parents=True)
    (folder / "opencode.json").write_text("{}")
    (folder / "models.ini").write_text("; mine\n")
    (folder / "default-channel").write_text("current\n")
    (folder / "agents" / "plan.md").write_text("Plan.\n")
    return folder.parent


def test_nothing_is_allowed_until_the_user_says_so(root: Path) -> None:
    """W32: any directory with an opencode.json configured the agent of who entered it."""
    assert state(root) == "unknown"
    allow(root)
    assert state(root) == "allowed"


def test_what_is_denied_stays_denied_until_it_is_allowed(root: Path) -> None:
    deny(root)
    assert state(root) == "denied"
    (root / ".llmstack" / "opencode.json").write_text("other")
    assert state(root) == "denied"
    allow(root)
    assert state(root) == "allowed"


@pytest.mark.parametrize(
    "name",
    [
        "opencode.json",
        "models.ini",
        "default-channel",
        "AGENTS.md",
        "instructions.md",
        "agents/plan.md",
        "agents/new.md",
    ],
)
def test_an_edit_asks_again(root: Path, name: str) -> None:
    """W32: also a file that was not there before, for opencode reads it."""
    allow(root)
    path = root / ".llmstack" / name
    before = path.read_bytes() if path.exists() else None
    path.write_text("edited")
    assert state(root) == "changed"
    assert changes(root) == [name]
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)
    assert state(root) == "allowed", "content counts, not time"
    path.unlink(missing_ok=True)
    assert state(root) == ("allowed" if before is None else "changed")


def test_what_is_not_effective_does_not_ask_again(root: Path) -> None:
    """What a running stack writes, and what an editor leaves beside a prompt."""
    allow(root)
    folder = root / ".llmstack"
    (folder / "logs").mkdir()
    (folder / "agents" / ".plan.md.swp").write_text("")
    (folder / "agents" / "old").mkdir()
    for name in ("active-channel", "llama-swap.yaml", "daemon.json", "daemon.lock", "logs/x.log"):
        (folder / name).write_text("new")
    assert state(root) == "allowed"


def test_a_project_is_its_real_path(root: Path, tmp_path: Path) -> None:
    """A link to an allowed project is allowed; a link that is turned elsewhere is not."""
    link = tmp_path / "link"
    link.symlink_to(root)
    allow(link)
    assert state(root) == state(link) == "allowed"
    other = tmp_path / "other" / ".llmstack"
    other.mkdir(parents=True)
    (other / "opencode.json").write_text('{"mcp": "evil"}')
    link.unlink()
    link.symlink_to(other.parent)
    assert state(link) == "unknown"


def test_a_moved_project_asks_again(root: Path, tmp_path: Path) -> None:
    allow(root)
    moved = root.rename(tmp_path / "moved")
    assert state(moved) == "unknown"


@posix
@pytest.mark.parametrize("name", [".", ".llmstack", ".llmstack/opencode.json", ".llmstack/agents"])
def test_what_everybody_may_write_cannot_be_allowed(root: Path, name: str) -> None:
    path = root / name
    allow(root)
    path.chmod(path.stat().st_mode | stat.S_IWOTH)
    assert state(root) == "changed"
    with pytest.raises(UntrustworthyError, match="every user"):
        allow(root)


@posix
def test_a_sticky_directory_may_hold_a_project(root: Path) -> None:
    root.chmod(0o1777)
    allow(root)
    assert state(root) == "allowed"


@posix
def test_what_belongs_to_another_user_cannot_be_allowed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.geteuid() + 1
    if os.geteuid() == 0:
        os.chown(root / ".llmstack" / "opencode.json", other, -1)
    else:
        monkeypatch.setattr("os.geteuid", lambda: other)
    with pytest.raises(UntrustworthyError, match="another user"):
        allow(root)


@posix
def test_a_pipe_or_a_device_is_refused_and_not_waited_for(root: Path) -> None:
    path = root / ".llmstack" / "opencode.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UntrustworthyError, match="plain file"):
        allow(root)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(UntrustworthyError, match="plain file"):
        allow(root)


def test_an_endless_file_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "LARGEST", 10)
    (root / ".llmstack" / "models.ini").write_text("x" * 11)
    with pytest.raises(UntrustworthyError, match="larger"):
        allow(root)


@posix
def test_records_are_private(root: Path) -> None:
    allow(root)
    (record,) = trust_dir().iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700


@posix
def test_a_record_that_others_could_have_written_counts_for_nothing(root: Path) -> None:
    allow(root)
    (record,) = trust_dir().iterdir()
    record.chmod(0o622)
    assert state(root) == "unknown"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"root": 1, "allowed": true, "files": {}}'])
def test_a_broken_record_counts_for_nothing(root: Path, text: str) -> None:
    allow(root)
    (record,) = trust_dir().iterdir()
    record.write_text(text)
    assert state(root) == "unknown"


def test_a_record_counts_for_its_own_project_only(root: Path) -> None:
    allow(root)
    (record,) = trust_dir().iterdir()
    record.write_text(json.dumps(json.loads(record.read_text()) | {"root": "/elsewhere"}))
    assert state(root) == "unknown"


def test_a_project_cannot_bring_its_own_allow_list(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative data directory would lie in whatever directory is entered."""
    monkeypatch.setenv("HOME", str(root.parent / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.chdir(root)
    for chosen in ("data", "./data", "../project/data"):
        monkeypatch.setenv("LLMSTACK_DATA_DIR", chosen)
        assert root not in trust_dir().parents
    monkeypatch.setenv("LLMSTACK_DATA_DIR", "~/data")
    assert trust_dir() == root.parent / "home" / "data" / "trust"
