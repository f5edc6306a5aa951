"""Linux: a unit of the user's systemd. Syntax: systemd.syntax(7), systemd.service(5)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.wiring.autostart.service import MARK, POINTLESS, STOPPING, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.wiring.autostart.service import Service

_SYSTEMCTL = ("systemctl", "--user")

#: Signs that systemd does not have in the name of a program, however they are written.
_NO_PROGRAM = frozenset("\"'\\")


class Systemd:
    """The user's instance of systemd. The journal keeps, and rotates, what is printed."""

    name = "systemd"
    pointless = POINTLESS
    environment = True
    journal = True
    restarts = True
    encoding = "utf-8"

    def unit(self, home: Path, environ: Mapping[str, str], name: str) -> Path:
        """Below ``$XDG_CONFIG_HOME``, by default ``~/.config``."""
        config = Path(environ.get("XDG_CONFIG_HOME", ""))
        base = config if config.is_absolute() else home / ".config"
        return base / "systemd" / "user" / f"{name}.service"

    def text(self, service: Service) -> str:
        """The unit file.

        ``KillMode=mixed``: only the daemon is told to stop, which lets running answers end before
        it stops its models. ``:`` keeps ``$`` in arguments from being replaced.
        """
        first, *others = service.argv
        if set(first) & _NO_PROGRAM:
            first, *others = "/bin/sh", "-c", 'exec "$0" "$@"', first, *others
        command = " ".join([f":{quoted(first)}", *map(quoted, others)])
        lines = [
            f"# {MARK}",
            "# Take it back with: llmstack autostart uninstall",
            "[Unit]",
            f"Description=llmstack ({service.project})".replace("%", "%%"),
            "StartLimitIntervalSec=300",
            "StartLimitBurst=5",
            "",
            "[Service]",
            "Type=exec",
            f"ExecStart={command}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            *(f"Environment={quoted(f'{name}={value}')}" for name, value in service.environ),
            f"EnvironmentFile=-{_pattern(service.secrets)}",
            "Restart=on-failure",
            "RestartSec=5",
            f"RestartPreventExitStatus={POINTLESS}",
            "KillMode=mixed",
            f"TimeoutStopSec={STOPPING}",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
        return "\n".join(lines)

    def probe(self) -> Step:
        """Fails without a bus, as in a container; else tells the environment of its services."""
        return Step((*_SYSTEMCTL, "show-environment"))

    def turn_on(self, name: str, unit: Path, *, now: bool) -> list[Step]:
        """Read the file, enable it."""
        del unit
        start = [Step((*_SYSTEMCTL, "start", f"{name}.service"))] if now else []
        return [
            Step((*_SYSTEMCTL, "daemon-reload")),
            Step((*_SYSTEMCTL, "enable", f"{name}.service")),
            *start,
        ]

    def turn_off(self, name: str, unit: Path) -> list[Step]:
        """Stop and disable it."""
        del unit
        return [Step((*_SYSTEMCTL, "disable", "--now", f"{name}.service"), may_fail=True)]

    def after_removal(self) -> list[Step]:
        """It forgets the file."""
        return [Step((*_SYSTEMCTL, "daemon-reload"), may_fail=True)]

    def enabled(self, name: str) -> Step:
        """``is-enabled`` succeeds."""
        return Step((*_SYSTEMCTL, "is-enabled", "--quiet", f"{name}.service"))

    def is_enabled(self, name: str, output: str | None) -> bool:
        """It succeeds if it is."""
        del name
        return output is not None

    def variable(self, name: str) -> tuple[Step, ...]:
        """All of them."""
        del name
        return (self.probe(),)

    def is_set(self, name: str, output: str) -> bool:
        """A line each."""
        return any(line.startswith(f"{name}=") for line in output.splitlines())


def quoted(word: str) -> str:
    r"""``word`` as one word of a setting: ``"`` and ``\`` escaped, no ``%`` specifier left."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _pattern(path: Path) -> str:
    """``EnvironmentFile`` takes a pattern of file names, in which ``%`` has a meaning too."""
    text = str(path)
    for sign in "\\*?[":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("%", "%%")
