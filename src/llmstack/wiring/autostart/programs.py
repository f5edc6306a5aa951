"""Talking to the service manager by the programs that it comes with."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.wiring.autostart.service import Manager, Step

#: Seconds that one program may take; stopping a service waits for running answers.
PATIENCE = 90.0

#: What to do where the manager of the user's services does not run.
WITHOUT = {
    "systemd": "Under su or sudo there is none of yours: log in, or have one without a login by"
    " 'loginctl enable-linger'.\nIn a container let the container run: llmstack start --foreground",
    "launchd": "Log in on the Mac's own screen, and run this there.",
    "task-scheduler": "Start the service 'Task Scheduler'.",
}


def carry_out(steps: Iterable[Step]) -> None:
    """Run them one after the other.

    Raises:
        LlmstackError: one failed that may not; those before it are done.
    """
    for step in steps:
        output, error = _run(step)
        if output is None and not step.may_fail:
            raise LlmstackError(f"this failed: {' '.join(step.argv)}", why=error)


def output_of(step: Step) -> str | None:
    """What it prints, None if it fails."""
    return _run(step)[0]


def require_running(manager: Manager) -> None:
    """Make sure that ``manager`` can be talked to.

    Raises:
        LlmstackError: it cannot; what to do instead.
    """
    output, error = _run(manager.probe())
    if output is None:
        raise LlmstackError(
            f"{manager.name} does not run services for you here",
            why=error,
            fix=WITHOUT[manager.name],
        )


def _run(step: Step) -> tuple[str | None, str]:
    """Its output, None for a failure; and what it said about that."""
    program = shutil.which(step.argv[0])
    if program is None:
        return None, f"There is no program {step.argv[0]}."
    try:
        done = subprocess.run(
            [program, *step.argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        return None, printable_text(said)
    return done.stdout.decode("utf-8", "replace"), ""
