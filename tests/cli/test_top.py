"""``llmstack top`` without a terminal: one page, JSON, and what it says when nothing answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import OURS
from tests.cli.overviews import OVERVIEW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome
    from tests.client.swap_server import SwapServer


@pytest.mark.parametrize("flags", [(), ("--once",)])
def test_without_a_terminal_it_prints_one_page_without_escapes(
    command: Callable[..., Outcome], remote: SwapServer, flags: tuple[str, ...]
) -> None:
    done = command(
        "top", *flags, LLMSTACK_REMOTE_URL=remote.url, LLMSTACK_API_KEY="k1", COLUMNS="80"
    )
    assert (done.status, done.err) == (0, "")
    assert "code-smart" in done.out
    assert "generating" in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert {asked.bearer for asked in remote.asked} == {"Bearer k1"}


def test_json_is_the_overview_as_it_came(
    command: Callable[..., Outcome], remote: SwapServer
) -> None:
    done = command("top", "--json", LLMSTACK_REMOTE_URL=remote.url)
    assert json.loads(done.out) == OVERVIEW


def test_a_stack_that_was_not_chosen_gets_no_key(
    command: Callable[..., Outcome], remote: SwapServer
) -> None:
    done = command("top", LLMSTACK_API_KEY="k1")
    assert done.status == 1
    assert "not allowed" in done.err
    assert not remote.asked


@pytest.mark.parametrize("flags", [(), ("--once",), ("--json",)])
def test_without_a_daemon_it_says_what_to_do(
    command: Callable[..., Outcome], flags: tuple[str, ...]
) -> None:
    done = command("top", *flags)
    assert (done.status, done.out) == (1, "")
    assert "no daemon runs" in done.err
    assert "llmstack start" in done.err


def test_follow_prints_a_line_for_each_overview_and_goes_on(
    tmp_path: Path, remote: SwapServer
) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "llmstack", "top", "--json", "--follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**kept, "LLMSTACK_REMOTE_URL": remote.url},
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stderr
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert [json.loads(line) for line in lines] == [OVERVIEW] * 2
    assert process.returncode == 0
    assert "has ended the stream" in errors
    assert "Traceback" not in errors
