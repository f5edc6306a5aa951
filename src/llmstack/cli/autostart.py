"""``llmstack autostart``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.agreement import agreed
from llmstack.cli.here import work_dir
from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable, printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.wiring.autostart.installed import Installation
    from llmstack.wiring.autostart.report import Report

ACTIONS = ("status", "install", "uninstall", "run")

EXAMPLES = """examples:
  llmstack autostart                    whether this project's stack starts at login
  llmstack autostart install            show what would be written, ask, then do it
  llmstack autostart install --dry-run  only show it
  llmstack autostart uninstall          stop it, and start it at login no more
  llmstack autostart run                what the service manager calls

systemd on Linux, launchd on macOS, the Task Scheduler on Windows. Keys never go into their files;
'llmstack autostart status' says where to put them."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "action", nargs="?", choices=ACTIONS, default="status", help="default: status"
    )
    parser.add_argument("-n", "--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="status as one JSON object")
    parser.add_argument(
        "--watch", action="store_true", help="start anew when models.ini changes, as start --watch"
    )
    parser.add_argument(
        "--manager",
        choices=("systemd", "launchd", "task-scheduler"),
        help="the service manager, by default the one that this system has",
    )
    run_only = parser.add_argument_group("what the service manager gives to run")
    run_only.add_argument("--project", metavar="DIR", help="the project")
    run_only.add_argument("--secrets", metavar="FILE", help="variables that only you may read")
    run_only.add_argument("--log", metavar="FILE", help="where output goes; rotated")
    run_only.add_argument("--again", action="store_true", help="start again after a crash")
    run_only.add_argument(
        "--pointless",
        metavar="STATUS",
        type=int,
        default=1,
        help="exit status for what would fail again",
    )


def run(arguments: Namespace) -> int:
    """Do one of them."""
    if arguments.json and arguments.action != "status":
        raise LlmstackError("--json is for the status", fix="Leave it out.")
    if arguments.action == "run":
        from llmstack.cli.autostart_run import run_service

        return run_service(arguments)
    if arguments.action == "status":
        return _status(_installation(arguments), as_json=arguments.json)
    if arguments.action == "install":
        return _install(arguments)
    return _uninstall(arguments)


def _install(arguments: Namespace) -> int:
    from llmstack.config.own_ini import own_models_ini
    from llmstack.server.record import living_daemon
    from llmstack.wiring.autostart.programs import require_running
    from llmstack.wiring.autostart.project import channel_of, require_allowed
    from llmstack.wiring.autostart.report import report_on
    from llmstack.wiring.autostart.service import refuse_unwritable

    work = work_dir()
    channel_of(work)  # refuses a thin client, which runs nothing
    own_models_ini(work, os.environ)
    require_allowed(work)
    here = _installation(arguments)
    refuse_unwritable(here.service)
    changes = here.differences()
    stream = sys.stdout if arguments.dry_run else sys.stderr
    print(printable_text(changes), end="", file=stream, flush=True)
    if arguments.dry_run:
        print("[*] nothing was written", file=sys.stderr)
        return 0
    require_running(here.manager)
    if not changes and here.enabled():
        print("[=] it starts at login already")
        return 0
    if changes and not (arguments.yes or agreed()):
        print("[=] nothing was written", file=sys.stderr)
        return 1
    daemon = living_daemon(work)
    here.install(now=daemon is None)
    print(f"[OK] wrote {printable(here.unit)}")
    if daemon:
        print(f"[=] runs already (pid {daemon.pid}); the next login starts it as a service")
    else:
        print(f"[OK] {here.service.name} is told to start, now and at login")
        print("     Whether it answers: llmstack status")
    _warn(report_on(here, work, os.environ))
    return 0


def _uninstall(arguments: Namespace) -> int:
    here = _installation(arguments)
    if arguments.dry_run:
        found = here.present() is not None
        print(f"[*] would remove {printable(here.unit)}" if found else "[=] it is not installed")
        return 0
    if here.uninstall():
        print(f"[OK] stopped, and removed {printable(here.unit)}")
    else:
        print("[=] it does not start at login")
    return 0


def _installation(arguments: Namespace) -> Installation:
    from llmstack.wiring.autostart.project import installation_of, manager_named

    manager = manager_named(arguments.manager, os.environ)
    here = installation_of(work_dir(), os.environ, manager)
    return here.watching() if arguments.watch else here


def _status(here: Installation, *, as_json: bool) -> int:
    from llmstack.wiring.autostart.report import report_on

    report = report_on(here, work_dir(), os.environ)
    if as_json:
        print(json.dumps(asdict(report), indent=1))
        return 0 if report.enabled else 1
    if report.enabled:
        print(f"[OK] starts at login: {report.name} ({report.manager})")
    elif report.installed:
        print(
            f"[!] {printable(report.file)} is there, but not in force: llmstack autostart install"
        )
    else:
        print("[=] does not start at login. To change that: llmstack autostart install")
    if report.installed:
        print(f"     file    {printable(report.file)}")
        print(f"     secrets {printable(report.secrets)}")
        if not report.current:
            print("[!] it would be written otherwise now: llmstack autostart install")
        _warn(report)
    return 0 if report.enabled else 1


def _warn(report: Report) -> None:
    for problem in report.problems:
        print(f"[!] {printable_text(problem)}", file=sys.stderr)
    for tier, names in report.missing.items():
        listed = ", ".join(names)
        print(f"[!] {printable(tier)}: not set at login: {printable(listed)}", file=sys.stderr)
    if report.missing:
        path = printable(report.secrets)
        print(
            f"     Write NAME=value lines into {path}, for your eyes only:\n"
            f"     (umask 077; mkdir -p '{Path(path).parent}'; cat >> '{path}')",
            file=sys.stderr,
        )
    if report.linger is False:
        print(
            "     It ends when you log out, and starts when you log in. To have it from boot on: "
            "loginctl enable-linger",
            file=sys.stderr,
        )
