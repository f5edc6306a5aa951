"""Whether a project starts at login, and what would keep it from that."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.config.own_ini import own_models_ini
from llmstack.config.stack_loader import load_stack
from llmstack.errors import LlmstackError
from llmstack.wiring.autostart.needs import missing_at_login, needed_variables
from llmstack.wiring.autostart.programs import output_of, require_running
from llmstack.wiring.autostart.project import channel_of, require_allowed
from llmstack.wiring.autostart.secrets import read_secrets
from llmstack.wiring.autostart.service import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.workdir import WorkDir
    from llmstack.wiring.autostart.installed import Installation


@dataclass(frozen=True, slots=True)
class Report:
    """What ``status`` says. ``problems`` are what would keep the stack from starting at login.

    ``missing`` are the variables, by tier, that hosted tiers would lack. ``linger`` is None where
    there is no such thing.
    """

    manager: str
    name: str
    file: str
    installed: bool
    current: bool
    enabled: bool
    linger: bool | None
    secrets: str
    missing: dict[str, list[str]]
    problems: list[str]


def report_on(here: Installation, work: WorkDir, environ: Mapping[str, str]) -> Report:
    """Look at everything."""
    problems: list[str] = []
    installed = current = running = False
    try:
        present = here.present()
        installed = present is not None
        current = installed and present in (here.wanted(), here.watching().wanted())
        require_running(here.manager)
        running = True
    except LlmstackError as error:
        problems.append(str(error))
    try:
        require_allowed(work)
        own_models_ini(work, environ)
    except LlmstackError as error:
        problems.append(str(error))
    missing: dict[str, list[str]] = {}
    try:
        missing = _missing(here, work, environ)
    except LlmstackError as error:
        problems.append(str(error))
    linger = None
    if here.manager.name == "systemd" and running:
        linger = "Linger=yes" in (
            output_of(Step(("loginctl", "show-user", getpass.getuser()))) or ""
        )
    return Report(
        manager=here.manager.name,
        name=here.service.name,
        file=str(here.unit),
        installed=installed,
        current=current,
        enabled=installed and running and here.enabled(),
        linger=linger,
        secrets=str(here.service.secrets),
        missing=missing,
        problems=problems,
    )


def _missing(here: Installation, work: WorkDir, environ: Mapping[str, str]) -> dict[str, list[str]]:
    told = dict(here.service.environ)
    stack = load_stack(own_models_ini(work, told)).stack
    needed = needed_variables(stack, channel_of(work), environ)
    known = {*told, *read_secrets(here.service.secrets)}
    return missing_at_login(needed, known, here.manager)
