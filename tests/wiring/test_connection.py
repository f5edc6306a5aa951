"""Carrying out a wiring, and taking it back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from llmstack.errors import LlmstackError
from llmstack.wiring import connection
from llmstack.wiring.agents import AGENTS
from llmstack.wiring.connection import (
    carry_out,
    connections_record,
    differences,
    read_connections,
    undo,
)
from llmstack.wiring.endpoint import Endpoint, FileEdit, OfferedModel, Place, Wiring

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINT = Endpoint("http://127.0.0.1:1", (OfferedModel("auto", 8192, 1024),))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "project", tmp_path / "home", tmp_path / "data" / "record.json")


def wiring(place: Place, text: str = "new\n") -> Wiring:
    return Wiring(edits=(FileEdit(place.project / "a.json", text),))


def test_the_difference_is_shown_first(place: Place) -> None:
    """Nothing is written by looking; equal text is no difference."""
    path = place.project / "a.json"
    assert "+new" in differences(wiring(place), place)
    assert not path.exists()
    carry_out("x", wiring(place), ENDPOINT, place)
    assert differences(wiring(place), place) == ""


def test_what_was_there_comes_back(place: Place) -> None:
    """Even after it was connected twice: the copy is of the user's file, not of ours."""
    path = place.project / "a.json"
    path.parent.mkdir()
    path.write_text("mine\n")
    path.chmod(0o640)
    carry_out("x", wiring(place, "first\n"), ENDPOINT, place)
    carry_out("x", wiring(place, "second\n"), ENDPOINT, place)
    assert path.read_text() == "second\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert undo("x", place) == [f"restored {path}"]
    assert path.read_text() == "mine\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_connections(place.record) == []


def test_a_file_that_was_not_there_goes(place: Place) -> None:
    """Undo leaves the project as it was."""
    carry_out("x", wiring(place), ENDPOINT, place)
    undo("x", place)
    assert not (place.project / "a.json").exists()


def test_an_edit_since_then_is_not_thrown_away(place: Place) -> None:
    """The message names the file and the copy."""
    path = place.project / "a.json"
    carry_out("x", wiring(place), ENDPOINT, place)
    path.write_text("edited\n")
    with pytest.raises(LlmstackError, match="edited since") as caught:
        undo("x", place)
    assert str(path) in caught.value.why
    assert path.read_text() == "edited\n"


def test_what_was_not_connected_cannot_be_taken_back(place: Place) -> None:
    """There is a message, and nothing happens."""
    with pytest.raises(LlmstackError, match="was not connected"):
        undo("x", place)


def test_a_project_cannot_have_files_removed(place: Place) -> None:
    """The record is in the user's data directory; one that comes with a project is not read."""
    hostile = place.project / ".llmstack" / "connected.json"
    hostile.parent.mkdir(parents=True)
    victim = place.home / "victim"
    victim.parent.mkdir()
    victim.write_text("")
    hostile.write_text(f'[{{"agent": "x", "files": [{{"path": "{victim}"}}]}}]')
    with pytest.raises(LlmstackError, match="was not connected"):
        undo("x", place)
    assert victim.exists()
    record = connections_record(place.home / "data", place.project)
    assert place.project not in record.parents


def test_windows_are_remembered(place: Place) -> None:
    """doctor compares them with what is served later."""
    carry_out("x", wiring(place), ENDPOINT, place)
    assert read_connections(place.record)[0].windows == {"auto": 8192}


@pytest.mark.parametrize("broken", ["", "nonsense", "{}", "[1]", '[{"agent": "x"}]'])
def test_a_broken_record_is_none(place: Place, broken: str) -> None:
    """It is no reason for a traceback."""
    place.record.parent.mkdir()
    place.record.write_text(broken)
    assert read_connections(place.record) == []


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("link", [".claude", ".claude/settings.local.json"])
def test_no_link_of_a_project_leads_to_the_users_own_files(tmp_path: Path, link: str) -> None:
    """A cloned project's .claude was a link to ~/.claude."""
    home, project = tmp_path / "home", tmp_path / "project"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / "settings.local.json").write_text("{}")
    (project / link).parent.mkdir(parents=True)
    (project / link).symlink_to(home / link)
    place = Place(project, home, tmp_path / "record.json")
    with pytest.raises(LlmstackError, match="not in this project"):
        AGENTS["claude"](ENDPOINT, place)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_the_users_own_link_stays_a_link(tmp_path: Path) -> None:
    """Settings kept in a collection of dotfiles are written there."""
    home, real = tmp_path / "home", tmp_path / "dotfiles.json"
    real.write_text("{}")
    (home / ".claude").mkdir(parents=True)
    link = home / ".claude" / "settings.json"
    link.symlink_to(real)
    place = Place(tmp_path, home, tmp_path / "record.json", everywhere=True)
    carry_out("claude", AGENTS["claude"](ENDPOINT, place), ENDPOINT, place)
    assert link.is_symlink()
    assert "ANTHROPIC_BASE_URL" in real.read_text()
    undo("claude", place)
    assert (link.is_symlink(), link.read_text()) == (True, "{}")


def test_a_copy_of_one_project_is_never_lost_to_another(tmp_path: Path) -> None:
    """Two projects that wire the same file of the user's each put back what they found."""
    shared = tmp_path / "settings.json"
    shared.write_text("mine\n")
    first, second = (
        Place(tmp_path / name, tmp_path, tmp_path / f"{name}.json", everywhere=True)
        for name in "ab"
    )
    for place, text in ((first, "one\n"), (second, "two\n")):
        carry_out("x", Wiring(edits=(FileEdit(shared, text),)), ENDPOINT, place)
    undo("x", second)
    assert shared.read_text() == "one\n"
    undo("x", first)
    assert shared.read_text() == "mine\n"


def test_who_is_killed_while_writing_still_knows_the_copy(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second try would else have taken our text for the user's."""
    path = place.project / "a.json"
    path.parent.mkdir()
    path.write_text("mine\n")

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        path.write_text("new\n")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_write", killed)
        with pytest.raises(Killed):
            carry_out("x", wiring(place), ENDPOINT, place)
    carry_out("x", wiring(place, "newer\n"), ENDPOINT, place)
    undo("x", place)
    assert path.read_text() == "mine\n"
