"""The benchmark that measures the request path still runs, against the real gateway and engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="the upstream uses epoll")
@pytest.mark.skipif(not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="no C compiler")
def test_the_relay_benchmark_prints_its_tables(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.relay", "--quick", "--cells", "1 KB x32"]
    result = subprocess.run(
        [*command, "--targets", "direct,llmstack,swap"],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Errors: none." in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith("| 1 KB x32 |")]
    rates, costs = ([cell.strip() for cell in row.split("|")[2:-1]] for row in rows)
    assert all(float(rate.replace(",", "")) > 0 for rate in rates[:3]), rates
    assert len(costs) == 2
