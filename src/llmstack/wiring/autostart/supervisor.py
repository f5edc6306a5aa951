"""Starting again after a crash, where the service manager does not.

The Task Scheduler only tries again what it could not start: [MS-TSCH] 2.5.4.2, RestartOnFailure.
"""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

from llmstack.wiring.autostart.service import POINTLESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Seconds before a new start; so many starts in so many seconds are the last. As for systemd.
PAUSE, MOST, WITHIN = 5.0, 5, 300.0

#: How a daemon ends that is not to run: by itself, in vain, or stopped as Windows stops programs.
_ENOUGH = frozenset({0, POINTLESS, signal.SIGTERM, -signal.SIGTERM})


def again(status: int, starts: Sequence[float], now: float) -> bool:
    """Whether what ended with ``status`` is to be started again; ``starts`` in seconds."""
    return status not in _ENOUGH and sum(now - start < WITHIN for start in starts) < MOST


def supervise(argv: Sequence[str], say: Callable[[str], None]) -> int:
    """Run ``argv`` until it has ended for good; 0, for nobody else is to try."""
    starts = []
    while True:
        starts.append(time.monotonic())
        status = subprocess.run(argv, check=False).returncode
        if not again(status, starts, time.monotonic()):
            return 0
        say(f"the daemon ended with status {status}; starting it again in {PAUSE:.0f} s")
        time.sleep(PAUSE)
