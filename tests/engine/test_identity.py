"""Which process is meant, however often its pid is used again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from llmstack.engine import Identity
from llmstack.engine.identity import present
from llmstack.engine.process import group_members


def test_an_identity_is_a_pid_and_a_start_time() -> None:
    me = Identity.of(os.getpid())
    assert me
    assert me.alive()
    assert not Identity(me.pid, me.started + 1).alive()
    assert not Identity(me.pid, me.started - 1).alive()


def test_nobody_has_the_identity_of_a_process_that_has_ended() -> None:
    child = subprocess.Popen(["sleep", "600"])
    identity = Identity.of(child.pid)
    assert identity
    assert identity.alive()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, nobody asked how
    assert not identity.alive(), "a zombie is not alive"
    child.wait()
    assert not identity.alive()
    assert Identity.of(child.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts from the boot")
def test_an_identity_survives_a_change_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel moves the boot time along with the clock, and psutil counts from there."""
    me = Identity.of(os.getpid())
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 1_000_000.0)
    assert me
    assert me.alive()
    assert group_members(os.getpgrp(), since=me.started) is not None


def test_the_present_and_start_times_are_on_one_scale() -> None:
    before = present()
    child = subprocess.Popen(["sleep", "600"])
    identity = Identity.of(child.pid)
    child.kill()
    child.wait()
    assert identity
    assert before - 0.05 <= identity.started <= present() + 0.05
