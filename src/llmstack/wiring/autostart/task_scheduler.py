"""Windows: a task at logon. Elements: the Task Scheduler schema, "Task Schema Elements"."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from llmstack.errors import LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.wiring.autostart.service import MARK, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.wiring.autostart.service import Service

_TEXT = """<?xml version="1.0" encoding="UTF-16"?>
<!-- {mark} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>llmstack ({project})</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


class TaskScheduler:
    """Windows' Task Scheduler. Its tasks see the user's own variables, and have no others."""

    name = "task-scheduler"
    pointless = 0
    environment = False
    journal = False
    restarts = False
    encoding = "utf-16"

    def __init__(self, user: str) -> None:
        self._user = user

    def unit(self, home: Path, environ: Mapping[str, str], name: str) -> Path:
        """What the task was made of; the scheduler has a copy."""
        told = {"HOME": str(home), **environ}
        return data_dir(told) / "autostart" / f"{name}.xml"

    def text(self, service: Service) -> str:
        """The task.

        Raises:
            LlmstackError: the scheduler would replace a part of an argument by something else.
        """
        for word in service.argv:
            if "%" in word or "$(" in word:
                raise LlmstackError(
                    f"{word!r} cannot be written into a task",
                    why="The Task Scheduler replaces %NAME% and $(NAME), and has no way to say so.",
                    fix="Rename the directory.",
                )
        return _TEXT.format(
            mark=MARK,
            project=escape(str(service.project)),
            user=escape(self._user),
            command=escape(service.argv[0]),
            arguments=escape(subprocess.list2cmdline(service.argv[1:])),
        )

    def probe(self) -> Step:
        """Lists the tasks."""
        return Step(("schtasks", "/Query", "/FO", "LIST"))

    def turn_on(self, name: str, unit: Path, *, now: bool) -> list[Step]:
        """Register it."""
        start = [Step(("schtasks", "/Run", "/TN", _task(name)))] if now else []
        return [
            Step(("schtasks", "/Create", "/F", "/TN", _task(name), "/XML", str(unit))),
            *start,
        ]

    def turn_off(self, name: str, unit: Path) -> list[Step]:
        """End and delete it."""
        del unit
        return [
            Step(("schtasks", "/End", "/TN", _task(name)), may_fail=True),
            Step(("schtasks", "/Delete", "/F", "/TN", _task(name)), may_fail=True),
        ]

    def after_removal(self) -> list[Step]:
        """Nothing."""
        return []

    def enabled(self, name: str) -> Step:
        """Whether there is such a task."""
        return Step(("schtasks", "/Query", "/TN", _task(name)))

    def is_enabled(self, name: str, output: str | None) -> bool:
        """It succeeds if it is."""
        del name
        return output is not None

    def variable(self, name: str) -> tuple[Step, ...]:
        """The user's and the machine's lasting ones."""
        machine = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
        places = (r"HKCU\Environment", machine)
        return tuple(Step(("reg", "query", place, "/v", name)) for place in places)

    def is_set(self, name: str, output: str) -> bool:
        """It is named if it is there."""
        return name.lower() in output.lower()


def _task(name: str) -> str:
    return f"\\llmstack\\{name}"
