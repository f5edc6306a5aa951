"""macOS: a LaunchAgent. Keys: launchd.plist(5)."""

from __future__ import annotations

import os
import plistlib
from typing import TYPE_CHECKING

from llmstack.wiring.autostart.service import MARK, STOPPING, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.wiring.autostart.service import Service

_HEAD = b'<plist version="1.0">'


def _domain() -> str:
    """The one of the user's graphical session."""
    return f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"


class Launchd:
    """The user's launchd. It starts again whatever ends with a status but 0."""

    name = "launchd"
    pointless = 0
    environment = True
    journal = False
    restarts = True
    encoding = "utf-8"

    def unit(self, home: Path, environ: Mapping[str, str], name: str) -> Path:
        """In ``~/Library/LaunchAgents``."""
        del environ
        return home / "Library" / "LaunchAgents" / f"{_label(name)}.plist"

    def text(self, service: Service) -> str:
        """The property list."""
        content = {
            "Label": _label(service.name),
            "ProgramArguments": list(service.argv),
            "EnvironmentVariables": dict(service.environ),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": STOPPING,
            "ProcessType": "Interactive",  # else its models would run on the slow cores
            "StandardErrorPath": str(service.log),
            "StandardOutPath": str(service.log),
        }
        note = f"<!-- {MARK} -->\n".encode()
        return plistlib.dumps(content).replace(_HEAD, note + _HEAD, 1).decode()

    def probe(self) -> Step:
        """Fails without a graphical session, as over ssh to a machine where nobody is logged in."""
        return Step(("launchctl", "print", _domain()))

    def turn_on(self, name: str, unit: Path, *, now: bool) -> list[Step]:
        """Load it, which starts it; at login it is loaded in any case."""
        target = f"{_domain()}/{_label(name)}"
        steps = [Step(("launchctl", "enable", target))]
        if now:
            steps += [
                Step(("launchctl", "bootout", target), may_fail=True),
                Step(("launchctl", "bootstrap", _domain(), str(unit))),
            ]
        return steps

    def turn_off(self, name: str, unit: Path) -> list[Step]:
        """Unload it, which stops it."""
        del unit
        return [Step(("launchctl", "bootout", f"{_domain()}/{_label(name)}"), may_fail=True)]

    def after_removal(self) -> list[Step]:
        """Nothing."""
        return []

    def enabled(self, name: str) -> Step:
        """Not whether it is loaded now: the file alone decides at login, unless disabled."""
        del name
        return Step(("launchctl", "print-disabled", _domain()))

    def is_enabled(self, name: str, output: str | None) -> bool:
        """It is, unless it is among those that are disabled."""
        off = {f'"{_label(name)}" => {word}' for word in ("disabled", "true")}
        return not off.intersection(line.strip() for line in (output or "").splitlines())

    def variable(self, name: str) -> tuple[Step, ...]:
        """Those that ``launchctl setenv`` set; they are gone after a restart of the machine."""
        return (Step(("launchctl", "getenv", name)),)

    def is_set(self, name: str, output: str) -> bool:
        """It prints nothing for one that is not set."""
        del name
        return bool(output.strip())


def _label(name: str) -> str:
    return f"dev.{name}"
