"""``llmstack doctor``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.workdir import WorkDir

EXAMPLES = """examples:
  llmstack doctor          exit status 1 when something is a problem
  llmstack doctor --json   the same for a script

A warning is what may go wrong, a problem what will. Neither the model hub nor any model is asked,
only the machine, the project, and the stack that the project uses."""

_MARKS = {"ok": "[OK]", "warning": "[!] ", "problem": "[X] "}


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def run(arguments: Namespace) -> int:
    """Print each check as it is done."""
    from llmstack.server.doctor import examine

    checks = []
    work = work_dir()
    for check in examine(work, _environ(work)):
        checks.append(check)
        if not arguments.json:
            finding = printable_text(check.finding).replace("\n", f"\n{'':<19}")
            print(f"{_MARKS[check.level]} {check.name:<14}{finding}", flush=True)
            if check.fix and check.level != "ok":
                print(f"{'':<19}{printable_text(check.fix)}", flush=True)
    if arguments.json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    return 1 if any(check.level == "problem" for check in checks) else 0


def _environ(work: WorkDir) -> dict[str, str]:
    """The environment, without the key where it would go to a stack of the project's choice."""
    from llmstack.cli.channel import require_chosen
    from llmstack.cli.here import KEY_VARIABLE, channel
    from llmstack.errors import DaemonError

    environ = dict(os.environ)
    try:
        require_chosen(work, channel(work))
    except DaemonError:
        environ.pop(KEY_VARIABLE, None)
    return environ
