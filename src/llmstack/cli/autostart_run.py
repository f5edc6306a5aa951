"""What a service manager calls: ``llmstack autostart run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import Namespace

    from llmstack.config.workdir import WorkDir
    from llmstack.server.plan import StackPlan


def run_service(arguments: Namespace) -> int:
    """Be the daemon, unless that would fail again: then end so that it is not tried again."""
    from llmstack.cli.serve import serve_here

    if arguments.log:
        _print_to(Path(arguments.log))
    if arguments.again:
        return _again(arguments)
    try:
        if arguments.project:
            os.environ["LLMSTACK_WORK_DIR"] = arguments.project
            os.chdir(arguments.project)
        work, plan = _prepared(arguments)
    except (LlmstackError, OSError) as error:
        print(f"[!] not started: {printable_text(str(error))}", file=sys.stderr, flush=True)
        return int(arguments.pointless)
    return serve_here(work, plan.channel, os.environ, watching=arguments.watch, plan=plan)


def _again(arguments: Namespace) -> int:
    """Run the same in a process of its own, which prints to where we do."""
    from llmstack.wiring.autostart.service import POINTLESS
    from llmstack.wiring.autostart.supervisor import supervise

    argv = [sys.executable, "-P", "-m", "llmstack", "autostart", "run"]
    argv += ["--pointless", str(POINTLESS)]
    for option in ("project", "secrets"):
        if value := getattr(arguments, option):
            argv += [f"--{option}", value]
    if arguments.watch:
        argv.append("--watch")
    return supervise(argv, lambda text: print(f"[!] {text}", file=sys.stderr, flush=True))


def _prepared(arguments: Namespace) -> tuple[WorkDir, StackPlan]:
    from llmstack.cli.here import work_dir
    from llmstack.server.plan import plan_stack
    from llmstack.server.record import living_daemon
    from llmstack.server.serve import already_running
    from llmstack.wiring.autostart.project import channel_of, require_allowed
    from llmstack.wiring.autostart.secrets import read_secrets

    work = work_dir()
    require_allowed(work)
    if arguments.secrets:
        os.environ.update(read_secrets(Path(arguments.secrets)))
    plan = plan_stack(work, os.environ, channel=channel_of(work))
    if living_daemon(work):
        raise already_running(plan)
    for warning in plan.warnings:
        print(f"[!] {warning}", file=sys.stderr)
    return work, plan


def _print_to(path: Path) -> None:
    """Let standard output and error go to ``path``, which is rotated when it has grown."""
    from llmstack.config.plain_file import open_log
    from llmstack.engine.logs import rotate_grown

    path.parent.mkdir(parents=True, exist_ok=True)
    rotate_grown(path)
    with open_log(path) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    if os.name != "posix":  # pythonw has none of its own
        sys.stdout = sys.stderr = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  until we end
