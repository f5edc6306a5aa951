"""``llmstack demo`` with the real demo model."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.e2e.stack import (
    Stack,
    assert_nothing_left,
    environment,
    eventually,
    listens,
    models_ini,
    output_of,
    spawned,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(600)  # the first test downloads 93 MB

INVITATION = "the stack goes on serving until Ctrl-C"


@contextmanager
def demo(tmp_path: Path, data_dir: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running demo. Afterwards nothing of it may be left."""
    arguments = ("demo", *arguments)
    try:
        with spawned(
            tmp_path, *arguments, cwd=tmp_path, LLMSTACK_DATA_DIR=str(data_dir)
        ) as process:
            yield process
    finally:
        assert_nothing_left(tmp_path)


def said(process: subprocess.Popen[str], tmp_path: Path, text: str) -> str:
    """Wait until the demo has printed ``text``; everything it has printed."""
    eventually(
        lambda: text in output_of(tmp_path) or process.poll() is not None, f"it says {text!r}", 120
    )
    output = output_of(tmp_path)
    assert text in output
    return output


def interrupt(process: subprocess.Popen[str]) -> int:
    """Ctrl-C, as a terminal sends it; the exit status."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(60)


def gateway_port(output: str) -> int:
    """The port in the line that names the gateway."""
    found = re.search(r"gateway http://127\.0\.0\.1:(\d+)/v1", output)
    assert found, output
    return int(found[1])


def test_once_answers_four_prompts_on_three_tiers_with_a_swap_and_leaves_nothing(
    tmp_path: Path, data_dir: Path
) -> None:
    with demo(tmp_path, data_dir, "--once", "--port", "0") as process:
        assert process.wait(180) == 0, output_of(tmp_path)
        output = output_of(tmp_path)
        assert not listens(gateway_port(output))
    assert [int(n) for n in re.findall(r"^\[(\d)/4\] ", output, re.M)] == [1, 2, 3, 4]
    tiers = re.findall(r"auto -> (\S+)   because: ", output)
    assert len(tiers) == 4
    assert tiers[0] == "plan"
    assert tiers[1] == "code-smart"
    assert len(set(tiers)) >= 3
    assert re.search(r"(\S+): evicted for (\S+)", output)
    counts = re.findall(r"(\d+) tokens in, (\d+) out, (\d+) tokens/s", output)
    assert len(counts) == 4
    assert all(int(number) > 0 for row in counts for number in row), counts


def test_what_it_invites_to_try_works_and_ctrl_c_leaves_nothing(
    tmp_path: Path, data_dir: Path
) -> None:
    with demo(tmp_path, data_dir, "--port", "0") as process:
        output = said(process, tmp_path, "open http")
        assert INVITATION in output
        port = gateway_port(output)
        lines = [line.strip() for line in output.splitlines()]

        curl = next(line for line in lines if line.startswith("curl "))
        answer = json.loads(run_curl(shlex.split(curl)))
        assert answer["choices"][0]["message"]["content"].strip()

        url = next(line for line in lines if line.startswith("open ")).removeprefix("open ")
        with urlopen(url, timeout=10) as response:
            assert b"<title>llmstack</title>" in response.read()

        opencode = next(line for line in lines if line.endswith(" opencode"))
        setting, command = shlex.split(opencode)
        assert command == "opencode"
        config = json.loads(Path(setting.removeprefix("OPENCODE_CONFIG=")).read_text("utf-8"))
        (provider,) = config["provider"].values()
        assert provider["options"]["baseURL"] == f"http://127.0.0.1:{port}/v1"

        assert interrupt(process) == 0, output_of(tmp_path)
        assert not listens(port)


def test_ctrl_c_in_the_middle_of_an_answer_leaves_nothing(tmp_path: Path, data_dir: Path) -> None:
    with demo(tmp_path, data_dir, "--port", "0") as process:
        output = said(process, tmp_path, "auto -> ")
        assert interrupt(process) == 130, output_of(tmp_path)
        assert not listens(gateway_port(output))
    assert "Traceback" not in output_of(tmp_path)


def test_it_runs_beside_a_stack_that_has_the_usual_ports(
    tmp_path: Path, data_dir: Path, tinywords_path: Path
) -> None:
    """Who already uses llmstack may still look at the demo, without an option."""
    tiers = {"code-fast": {"role": "fast", "path": str(tinywords_path), "ctx_size": "4096"}}
    usual = Stack(tmp_path / "own", models_ini(tiers))
    usual.work.models_ini.write_text(models_ini(tiers), "utf-8")
    beside = tmp_path / "demo"
    beside.mkdir()
    if any(listens(port) for port in (10001, 10101, 10102)):
        pytest.skip("somebody else has the usual ports now")
    try:
        done = usual.command("start")
        assert done.returncode == 0, done.stderr
        with demo(beside, data_dir) as process:
            output = said(process, beside, "auto -> plan")
            assert gateway_port(output) != 10101
            interrupt(process)
    finally:
        usual.command("stop", "--now")
        assert_nothing_left(usual.root)


def run_curl(argv: list[str]) -> bytes:
    """What the command prints; played by Python where there is no curl."""
    if shutil.which("curl"):
        quiet = [argv[0], "--silent", "--show-error", *argv[1:]]
        done = subprocess.run(
            quiet, capture_output=True, check=True, timeout=120, env=environment(Path("/nowhere"))
        )
        return done.stdout
    _, url, option, header, data, body = argv
    assert (option, data) == ("-H", "-d")
    name, _, value = header.partition(": ")
    with urlopen(Request(url, body.encode(), {name: value}), timeout=120) as response:
        return bytes(response.read())
