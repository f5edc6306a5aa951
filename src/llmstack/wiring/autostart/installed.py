"""The service's file: what would change in it, and changing it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import unified_diff
from typing import TYPE_CHECKING

from llmstack.config.plain_file import read_plain
from llmstack.config.workdir import write_atomically
from llmstack.errors import LlmstackError
from llmstack.wiring.autostart.programs import carry_out, output_of
from llmstack.wiring.autostart.service import MARK

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.wiring.autostart.service import Manager, Service


@dataclass(frozen=True, slots=True)
class Installation:
    """A service and the file ``unit`` that describes it to ``manager``."""

    manager: Manager
    service: Service
    unit: Path

    def watching(self) -> Installation:
        """The same with a daemon that starts anew when models.ini changes."""
        argv = (*self.service.argv, "--watch")
        return replace(self, service=replace(self.service, argv=argv))

    def present(self) -> str | None:
        """What is in the file, None for no file.

        Raises:
            LlmstackError: it is not ours.
            OSError: it cannot be read.
        """
        try:
            text = read_plain(self.unit).decode(self.manager.encoding, "replace")
        except FileNotFoundError:
            return None
        if MARK not in text:
            raise LlmstackError(
                f"{self.unit} was not written by llmstack",
                fix="Move it away if you do not need it.",
            )
        return text

    def wanted(self) -> str:
        """What should be in it. Raises ``LlmstackError`` for what it cannot hold."""
        return self.manager.text(self.service)

    def differences(self) -> str:
        """What ``install`` would change, as a unified diff; empty for nothing."""
        old = (self.present() or "").splitlines(keepends=True)
        new = self.wanted().splitlines(keepends=True)
        return "".join(unified_diff(old, new, str(self.unit), str(self.unit)))

    def enabled(self) -> bool:
        """Whether it will run at login."""
        name = self.service.name
        return self.manager.is_enabled(name, output_of(self.manager.enabled(name)))

    def install(self, *, now: bool) -> None:
        """Write the file and let it run at login, and ``now``.

        Raises:
            LlmstackError: the manager refuses; the file is as it was before.
        """
        before = self.present()
        if not self.manager.journal:
            self.service.log.parent.mkdir(parents=True, exist_ok=True)
        self._write(self.wanted())
        try:
            carry_out(self.manager.turn_on(self.service.name, self.unit, now=now))
        except LlmstackError:
            if before is None:
                carry_out(self.manager.turn_off(self.service.name, self.unit))
                self.unit.unlink(missing_ok=True)
            else:
                self._write(before)
            raise

    def uninstall(self) -> bool:
        """Stop it, and let it run no more; False when there was nothing."""
        if self.present() is None:
            return False
        carry_out(self.manager.turn_off(self.service.name, self.unit))
        self.unit.unlink(missing_ok=True)
        carry_out(self.manager.after_removal())
        return True

    def _write(self, text: str) -> None:
        # Only the user: it holds paths and settings, which are nobody else's business.
        write_atomically(self.unit, text.encode(self.manager.encoding), mode=0o600)
