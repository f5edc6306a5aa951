"""Memory is measured over whole process groups."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from llmstack.engine.memory import on_gpus, resident

MIB = 1 << 20
HOLD = "import sys; x = bytearray(b'x') * (50 << 20); print(flush=True); sys.stdin.read()"


@pytest.mark.skipif(not hasattr(os, "getpgid"), reason="no process groups")
def test_the_children_of_a_model_count_and_what_is_gone_does_not() -> None:
    shell = f'{sys.executable} -c "{HOLD}" & wait'
    with subprocess.Popen(
        ["sh", "-c", f"exec 3<&0; {shell.replace('&', '<&3 &', 1)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = resident([process.pid, 2**22 + 7])
        process.communicate()
    assert list(taken) == [process.pid]
    assert 50 * MIB < taken[process.pid] < 120 * MIB
    assert resident([process.pid]) == {}


@pytest.mark.skipif(not hasattr(os, "getpgid"), reason="no process groups")
def test_what_a_groups_processes_hold_on_gpus_is_summed() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        held = {process.pid: 3, child: 4, os.getpid(): 100}
        assert on_gpus([process.pid], held) == {process.pid: 7}
        assert on_gpus([process.pid], {os.getpid(): 100}) == {}
        os.killpg(process.pid, 9)
