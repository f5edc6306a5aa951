"""Channels and thin clients, as the commands choose and refuse them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from llmstack.config.marker import Marker, read_marker
from llmstack.config.workdir import WorkDir
from tests.server.test_project import INI, another_machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path)


def test_install_begins_and_configures(command: Callable[..., Outcome], work: WorkDir) -> None:
    """W10: one command in an empty directory is enough."""
    assert command("install").status == 0
    assert work.models_ini.is_file()
    assert json.loads(work.opencode_json.read_text())["model"] == "llama.cpp/auto"
    assert read_marker(work.default_channel) == Marker("current")


def test_print_is_pure_json_and_writes_nothing(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """What is printed can be piped into jq."""
    command("init")
    before = sorted(work.state.iterdir())
    for asked in (("configure", "--print"), ("install", "-n")):
        outcome = command(*asked)
        assert outcome.status == 0
        assert json.loads(outcome.out)["model"] == "llama.cpp/auto"
    assert sorted(work.state.iterdir()) == before


def test_the_next_channel_is_remembered(command: Callable[..., Outcome], work: WorkDir) -> None:
    """configure renders for the channel that init chose."""
    command("init", "--next")
    assert command("configure").status == 0
    assert work.default_channel.read_text() == "next\n"
    assert "UD-Q4_K_XL" in work.swap_yaml.read_text()


def test_an_explicit_channel_wins_over_the_variable(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """LLMSTACK_REMOTE_URL used to defeat --current silently."""
    remote = {"LLMSTACK_REMOTE_URL": "http://10.0.0.1:10101"}
    outcome = command("init", "--current", **remote)
    assert "LLMSTACK_REMOTE_URL is set and passed over" in outcome.err
    assert read_marker(work.default_channel) == Marker("current")
    command("init", **remote)
    assert read_marker(work.default_channel) == Marker("external", "http://10.0.0.1:10101")


def test_a_channel_and_a_machine_exclude_each_other(command: Callable[..., Outcome]) -> None:
    """Wrong usage is exit status 2."""
    assert command("install", "--next", "--external", "http://h:1").status == 2


@pytest.mark.parametrize(
    "url", ["http://a b:1", "ftp://h", "http://h/$(id)", "h:1", "http://u:p@h"]
)
def test_an_address_that_could_be_more_than_one_is_refused(
    command: Callable[..., Outcome], work: WorkDir, url: str
) -> None:
    """W31: it ends up in prompts and in shell code."""
    outcome = command("install", "--external", url)
    assert outcome.status == 1
    assert "is not the address of a stack" in outcome.err
    assert not work.state.exists()


def test_a_thin_client_starts_and_stops_nothing(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """start asks the other machine, stop leaves it alone, other channels are refused."""
    with another_machine(INI.encode()) as (url, _):
        assert command("install", "--external", f"{url}/v1/").status == 0
        assert read_marker(work.default_channel) == Marker("external", url)
        started = command("start")
        assert (started.status, f"thin client of {url}, which answers" in started.out) == (0, True)
        refused = command("start", "--next")
        assert (refused.status, "llmstack install --current" in refused.err) == (1, True)
    down = command("start")
    assert (down.status, "does not answer now" in down.err) == (0, True)
    assert work.active_channel.exists()
    stopped = command("stop")
    assert (stopped.status, f"the stack at {url} goes on" in stopped.out) == (0, True)
    assert not work.active_channel.exists()
    status = command("status", "--json")
    assert status.status == 1
    assert json.loads(status.out)["channel"] == "external"


def test_a_machine_that_does_not_answer_leaves_the_project_as_it_was(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """No marker is written before the other machine has sent its file."""
    command("install")
    before = work.opencode_json.read_text()
    assert command("install", "--external", "http://127.0.0.1:9").status == 1
    assert work.opencode_json.read_text() == before
    assert read_marker(work.default_channel) == Marker("current")


def test_next_with_nothing_queued_is_refused(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """W19: before anything is started."""
    work.state.mkdir()
    work.models_ini.write_text(INI)
    outcome = command("start", "--next")
    assert outcome.status == 1
    assert "nothing is queued" in outcome.err


def test_a_wrong_port_is_refused_before_anything_starts(
    command: Callable[..., Outcome], work: WorkDir
) -> None:
    """W17: start --port 99999 said OK."""
    command("init")
    outcome = command("start", "--port", "99999")
    assert outcome.status == 1
    assert "'99999' is out of range" in outcome.err
    assert "99999" not in work.models_ini.read_text()


def test_the_models_of_the_file_are_listed_without_a_daemon(
    command: Callable[..., Outcome],
) -> None:
    """auto comes first; every tier has its window and its aliases."""
    command("init")
    rows = json.loads(command("models", "--json").out)
    assert [row["id"] for row in rows][:2] == ["auto", "code-fast"]
    assert rows[2] | {"name": ""} == {
        "id": "code-smart",
        "name": "",
        "state": "",
        "context": 64_000,
        "aliases": ["agent", "smart", "code", "coder"],
    }
