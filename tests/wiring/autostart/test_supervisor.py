"""What is started again, and what is left alone."""

from __future__ import annotations

import signal
import sys

import pytest

from llmstack.wiring.autostart import supervisor
from llmstack.wiring.autostart.service import POINTLESS
from llmstack.wiring.autostart.supervisor import MOST, WITHIN, again, supervise


@pytest.mark.parametrize("status", [0, POINTLESS, int(signal.SIGTERM), -signal.SIGTERM])
def test_a_stop_and_what_is_pointless_are_the_end(status: int) -> None:
    assert not again(status, [0.0], 1.0)


@pytest.mark.parametrize("status", [1, -9, 3221225477])
def test_a_crash_is_not(status: int) -> None:
    assert again(status, [0.0], 1.0)


def test_too_many_crashes_in_a_short_time_are_the_end() -> None:
    assert not again(1, [0.0] * MOST, 1.0)
    assert again(1, [0.0] * MOST, WITHIN + 1)


def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PAUSE", 0.0)
    said: list[str] = []
    assert supervise([sys.executable, "-ISc", "raise SystemExit(3)"], said.append) == 0
    assert len(said) == MOST - 1
    assert "status 3" in said[0]
