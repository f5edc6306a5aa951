"""Memory is measured over whole process groups."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from llmstack.engine.memory import resident

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
