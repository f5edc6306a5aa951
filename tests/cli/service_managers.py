"""Stand-ins for the programs of service managers: real executables that record their calls."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("systemctl", "loginctl", "launchctl", "schtasks", "reg")

# What it prints, and whether it fails, is said in a file by the beginning of its arguments.
_PROGRAM = """#!{python} -IS
import json, os, sys
name = os.path.basename(sys.argv[0])
call = " ".join([name, *sys.argv[1:]])
with open({calls!r}, "a") as stream:
    stream.write(call + "\\n")
with open({answers!r}) as stream:
    answers = json.load(stream)
for start, (status, text) in answers.items():
    if call.startswith(start):
        print(text)
        sys.exit(status)
"""


@dataclass(frozen=True, slots=True)
class Managers:
    """Stand-ins in ``folder``; every call succeeds, printing nothing, unless told otherwise."""

    folder: Path

    def answer(self, start: str, status: int = 0, text: str = "") -> None:
        """How calls that begin with ``start`` end."""
        path = self.folder / "answers"
        told: dict[str, Any] = json.loads(path.read_text())
        path.write_text(json.dumps({start: (status, text), **told}))

    def calls(self) -> list[str]:
        """What was called since this was asked last."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines()
        path.write_text("")
        return lines

    @property
    def path(self) -> str:
        """For ``PATH``."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"


def make_managers(folder: Path) -> Managers:
    """The programs, in ``folder``."""
    folder.mkdir()
    calls, answers = folder / "calls", folder / "answers"
    calls.write_text("")
    answers.write_text("{}")
    text = _PROGRAM.format(python=sys.executable, calls=str(calls), answers=str(answers))
    for name in PROGRAMS:
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)
    return Managers(folder)
