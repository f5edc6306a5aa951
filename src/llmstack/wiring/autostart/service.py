"""What a service manager is told to run for one project, in no manager's own format."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


#: In every file that we write, so that nobody else's is replaced or removed.
MARK = "Written by: llmstack autostart install"

#: The status with which a start ends that would fail again (``EX_CONFIG`` of ``sysexits.h``).
POINTLESS = 78

#: Seconds that a stopping daemon is given; its answers may take 30 of them to end.
STOPPING = 60

#: Variables that a stack is configured by, and where its files are. None of them holds a secret.
KEPT = frozenset(
    {
        "PATH",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
        "LLMSTACK_DATA_DIR",
        "LLMSTACK_MODELS_INI",
        "LLAMA_SERVER_BIN",
        "LOG_LEVEL",
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "CUDA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "LD_LIBRARY_PATH",
    }
)

_SLUG = 24
_CREDENTIALS = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Service:
    """One project's service: ``argv`` run with ``environ`` over the manager's own environment.

    ``secrets`` is the file that the user may put variables in which nobody else may read.
    ``log`` is where output goes under a manager that keeps none itself.
    """

    name: str
    project: Path
    argv: tuple[str, ...]
    environ: tuple[tuple[str, str], ...]
    secrets: Path
    log: Path


@dataclass(frozen=True, slots=True)
class Step:
    """A program to run. ``may_fail`` where there may be nothing to do."""

    argv: tuple[str, ...]
    may_fail: bool = False


class Manager(Protocol):
    """A service manager: what to write for it and what to tell it. Pure."""

    name: str
    #: The status of a start that would fail again; one that a restart does not follow upon.
    pointless: int
    #: Whether a service may be told its environment, secrets and a log in its own words.
    environment: bool
    journal: bool
    #: Whether it starts again what ended with a failure.
    restarts: bool
    #: Of the file.
    encoding: str

    def unit(self, home: Path, environ: Mapping[str, str], name: str) -> Path:
        """The file that describes the service."""
        ...

    def text(self, service: Service) -> str:
        """The content of that file."""
        ...

    def probe(self) -> Step:
        """What succeeds where the manager can be talked to."""
        ...

    def turn_on(self, name: str, unit: Path, *, now: bool) -> list[Step]:
        """Let it run at login, and ``now``."""
        ...

    def turn_off(self, name: str, unit: Path) -> list[Step]:
        """Stop it, and let it run no more. The file is removed after these."""
        ...

    def after_removal(self) -> list[Step]:
        """What follows when the file is gone."""
        ...

    def enabled(self, name: str) -> Step:
        """What tells whether it will run at login."""
        ...

    def is_enabled(self, name: str, output: str | None) -> bool:
        """Whether it will, by the ``output`` of that; None if it failed."""
        ...

    def variable(self, name: str) -> tuple[Step, ...]:
        """What tells whether services see the variable ``name``; one that does is enough."""
        ...

    def is_set(self, name: str, output: str) -> bool:
        """Whether they do, by the output of that."""
        ...


def service_name(project: Path) -> str:
    """The same for the same real path, another for any other, and readable."""
    real = project.resolve()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    slug = re.sub(r"[^a-z0-9]+", "-", real.name.lower())[:_SLUG].strip("-")
    return f"llmstack-{slug}-{digest}" if slug else f"llmstack-{digest}"


def kept_environment(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a service needs of ``environ``, sorted: no secret, and no relative place on ``PATH``."""
    kept = []
    for name in sorted(environ):
        value = environ[name]
        if not (name in KEPT or name.startswith("ROUTER_")) or not value:
            continue
        if name in ("LLMSTACK_MODELS_INI", "LLMSTACK_DATA_DIR"):
            value = os.path.abspath(value)  # noqa: PTH100  no link is to be resolved
        if name == "PATH":
            places = [one for one in value.split(os.pathsep) if Path(one).is_absolute()]
            value = os.pathsep.join(dict.fromkeys(places))
        if _CREDENTIALS.search(value):  # a URL with a password in it
            continue
        kept.append((name, value))
    return tuple(kept)


def refuse_unwritable(service: Service) -> None:
    """Refuse what no file of a service manager can hold.

    Raises:
        LlmstackError: a path or a value has a control character, or bytes that are no text.
    """
    paths = (str(service.project), str(service.secrets), str(service.log))
    values = (*service.argv, *paths, *(value for _, value in service.environ))
    for value in values:
        if not value.isprintable():
            raise LlmstackError(
                f"{printable(value)!r} cannot be written into a service",
                why="It has a control character, or bytes that are no characters.",
                fix="Rename it, or unset the variable.",
            )
