"""llmstack download, with the real huggingface_hub against a hub on this machine."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.workdir import WorkDir
from tests.e2e.stack import eventually
from tests.hub.hub_server import COMMIT, Hub, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome

#: huggingface_hub writes this many bytes at a time.
CHUNK = 10 * 1024 * 1024

BYTES = random.Random(1).randbytes(3 * CHUNK)
SMALL, PARTS = BYTES[:1000], (BYTES[:2000], BYTES[2000:5000])

INI = """[a]
hf_repo = o/r
hf_file = small.gguf
[b]
hf_repo = o/big
hf_file = big-00001-of-00002.gguf
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {
        "o/r/small.gguf": SMALL,
        "o/big/big-00001-of-00002.gguf": PARTS[0],
        "o/big/big-00002-of-00002.gguf": PARTS[1],
        "o/huge/huge.gguf": BYTES,
    }
    with running(Hub(files)) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path) -> WorkDir:
    work = WorkDir(tmp_path)
    work.state.mkdir()
    work.models_ini.write_text(INI)
    return work


@pytest.fixture
def environ(hub: Hub, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "NO_PROXY": "127.0.0.1,localhost",
        "HF_TOKEN": "",
        "HF_HUB_OFFLINE": "0",
    }


def cached(tmp_path: Path, repo: str, name: str) -> Path:
    folder = f"models--{repo.replace('/', '--')}"
    return tmp_path / "hf" / "hub" / folder / "snapshots" / COMMIT / name


def huge(project: WorkDir) -> None:
    project.models_ini.write_text("[a]\nhf_repo = o/huge\nhf_file = huge.gguf\n")


def test_every_part_of_every_model_comes_into_the_hubs_cache(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], tmp_path: Path
) -> None:
    """llama-server's -hf finds them there; a second run fetches nothing."""
    assert command("download", **environ).status == 0
    assert cached(tmp_path, "o/r", "small.gguf").read_bytes() == SMALL
    for number, part in enumerate(PARTS, 1):
        name = f"big-0000{number}-of-00002.gguf"
        assert cached(tmp_path, "o/big", name).read_bytes() == part
    again = command("download", "--json", **environ)
    assert again.status == 0
    assert {row["state"] for row in json.loads(again.out)} == {"here"}


def test_a_cut_connection_goes_on_where_it_was(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
) -> None:
    """The rest is asked for by range, in the same run."""
    huge(project)
    hub.cut["o/huge/huge.gguf"] = CHUNK + 5
    assert command("download", **environ).status == 0
    assert cached(tmp_path, "o/huge", "huge.gguf").read_bytes() == BYTES
    assert [start for _, start in hub.ranges] == [0, CHUNK]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_in_the_middle_is_taken_up_by_the_next(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    """W29 and the hub's own library begin again; 45 GB must not."""
    huge(project)
    hub.hold["o/huge/huge.gguf"] = 2 * CHUNK
    first = subprocess.Popen(
        [sys.executable, "-P", "-m", "llmstack", "download"],
        cwd=tmp_path,
        env={**_environment(tmp_path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually(lambda: _kept(tmp_path) == 2 * CHUNK, "two chunks are on the disk")
    first.send_signal(how)
    out, _ = first.communicate(timeout=60)
    assert first.returncode == (130 if how is signal.SIGINT else -9), out
    hub.hold.clear()
    hub.go.set()
    assert command("download", **environ).status == 0
    assert cached(tmp_path, "o/huge", "huge.gguf").read_bytes() == BYTES
    assert hub.ranges[-1] == ("o/huge/huge.gguf", 2 * CHUNK)


def _environment(tmp_path: Path) -> dict[str, str]:
    import os

    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LLMSTACK_", "HF_"))}
    return {**kept, "LLMSTACK_WORK_DIR": str(tmp_path), "LLMSTACK_DATA_DIR": str(tmp_path / "data")}


def _kept(tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in tmp_path.rglob("*.incomplete"))


def test_content_that_is_something_else_is_removed(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
) -> None:
    """The checksum decides; the next run fetches it again."""
    hub.lies.add("o/r/small.gguf")
    outcome = command("download", "a", **environ)
    assert outcome.status == 1
    assert "is not what the hub says it is" in outcome.err
    assert not cached(tmp_path, "o/r", "small.gguf").exists()
    hub.lies.clear()
    assert command("download", "a", **environ).status == 0
    assert cached(tmp_path, "o/r", "small.gguf").read_bytes() == SMALL


def test_an_interrupt_does_not_wait_for_a_hub_that_says_nothing(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
) -> None:
    """Ctrl-C of a stalled download came back after a minute or more."""
    huge(project)
    hub.hold["o/huge/huge.gguf"] = CHUNK
    first = subprocess.Popen(
        [sys.executable, "-P", "-m", "llmstack", "download"],
        cwd=tmp_path,
        env={**_environment(tmp_path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    eventually(lambda: _kept(tmp_path) == CHUNK, "a chunk is on the disk")
    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=20)
    assert first.returncode == 130, out
    assert "what has come is kept" in out
    assert " left" not in command("download", "--status", **environ).out, "nothing is coming"
    hub.hold.clear()
    hub.go.set()
    assert command("download", **environ).status == 0


def test_a_token_opens_a_gated_model_and_stays_with_the_hub(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    """W36: it is in no command line, and not sent to the host that has the bytes."""
    hub.gated.add("o/r")
    refused = command("download", "a", **environ)
    assert refused.status == 1
    assert "o/r is gated" in refused.err
    assert "HF_TOKEN" in refused.err
    opened = command("download", "a", **{**environ, "HF_TOKEN": "hf_secret"})
    assert opened.status == 0, opened.err
    assert hub.tokens == [("o/r/small.gguf", None)]


@pytest.mark.parametrize(
    ("ini", "message"),
    [
        ("[a]\nhf_repo = o/none\nhf_file = x.gguf\n", "no repository o/none"),
        ("[a]\nhf_repo = o/r\nhf_file = none.gguf\n", "o/r has no file none.gguf"),
    ],
)
def test_what_the_hub_does_not_have_is_named(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    ini: str,
    message: str,
) -> None:
    """The exit status is 1, and what can be had is still fetched."""
    project.models_ini.write_text(ini + "[b]\nhf_repo = o/r\nhf_file = small.gguf\n")
    outcome = command("download", "--json", **environ)
    assert outcome.status == 1
    assert message in outcome.err
    assert [row["state"] for row in json.loads(outcome.out)] == ["failed", "done"]


def test_without_a_network_what_is_here_is_enough(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str]
) -> None:
    """A hub that does not answer is a clear message only where something is missing."""
    assert command("download", "a", **environ).status == 0
    nowhere = {**environ, "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert command("download", "a", **nowhere).status == 0
    missing = command("download", "b", **nowhere)
    assert missing.status == 1
    assert "the model hub does not answer" in missing.err
    offline = command("download", "b", **{**nowhere, "HF_HUB_OFFLINE": "1"})
    assert "HF_HUB_OFFLINE" in offline.err


def test_in_the_background_the_status_tells_how_far_it_is(
    command: Callable[..., Outcome],
    project: WorkDir,
    environ: dict[str, str],
    hub: Hub,
    tmp_path: Path,
) -> None:
    """One download of a project at a time; --status exits 1 until all is here."""
    huge(project)
    hub.hold["o/huge/huge.gguf"] = CHUNK
    assert command("download", "--detach", **environ).status == 0
    eventually(lambda: _kept(tmp_path) == CHUNK, "one chunk is on the disk")

    def status() -> dict[str, Any]:
        state: dict[str, Any] = json.loads(command("download", "--status", "--json").out)
        return state

    running_now = eventually(
        lambda: (state := status())["files"] and state["files"][0]["done"] and state, "it tells"
    )
    assert running_now["running"] is True
    assert running_now["complete"] is False
    twice = command("download", **environ)
    assert (twice.status, "runs already" in twice.err) == (1, True)
    hub.go.set()
    eventually(lambda: not status()["running"], "it ends")
    assert command("download", "--status").status == 0
    assert cached(tmp_path, "o/huge", "huge.gguf").read_bytes() == BYTES


def test_a_disk_that_is_too_small_is_found_before_anything_is_fetched(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str], hub: Hub
) -> None:
    """The sum of all missing bytes is compared with what is free."""
    hub.files["o/r/small.gguf"] = _Enormous()
    outcome = command("download", **environ)
    assert outcome.status == 1
    assert "the disk is too small" in outcome.err
    assert hub.ranges == []


class _Enormous(bytes):
    """Content that says it has a petabyte."""

    def __len__(self) -> int:
        return 10**15


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "65"])
def test_a_number_of_files_at_a_time_is_one(command: Callable[..., Outcome], jobs: str) -> None:
    outcome = command("download", f"--jobs={jobs}")
    assert outcome.status == 2
    assert "is no number from 1 to 64" in outcome.err


def test_a_thin_client_fetches_nothing(
    command: Callable[..., Outcome], project: WorkDir, environ: dict[str, str]
) -> None:
    """Models are where they run."""
    project.default_channel.write_text("external http://10.0.0.1:10101\n")
    outcome = command("download", **environ)
    assert outcome.status == 1
    assert "thin client of http://10.0.0.1:10101" in outcome.err
