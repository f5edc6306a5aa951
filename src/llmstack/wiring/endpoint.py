"""What an agent has to know of a stack, and what its wiring would change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmstack.config.plain_file import read_plain
from llmstack.config.stack import Prices
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from pathlib import Path

#: What stands for a key where none is needed; most clients insist on one.
NO_KEY = "sk-no-key-required"


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A name that can be asked for. ``window`` and ``output`` are in tokens.

    ``prices`` are those of a tier; for ``auto`` those of the dearest that it usually lands on.
    """

    name: str
    window: int
    output: int
    title: str = ""
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A stack as clients see it.

    ``base`` is the gateway's URL without ``/v1``. ``models`` begins with ``auto``; ``small`` is
    the one for side work such as titles, ``planner`` the one that plans, both empty where there is
    none. ``needs_key`` says that a key must be shown, which is in ``LLMSTACK_API_KEY``. A stack of
    this machine has it in ``key_file`` too, also while none is needed.
    """

    base: str
    models: tuple[OfferedModel, ...]
    small: str = ""
    planner: str = ""
    needs_key: bool = False
    key_file: str = ""

    @property
    def openai(self) -> str:
        """The base URL for clients that speak OpenAI's API."""
        return f"{self.base}/v1"

    @property
    def auto(self) -> OfferedModel:
        """The model that chooses."""
        return self.models[0]


@dataclass(frozen=True, slots=True)
class Place:
    """Where wiring goes. ``everywhere`` asks for the user's own files instead of the project's.

    ``record`` is the file in which ``connect`` remembers what it did for the project.
    """

    project: Path
    home: Path
    record: Path
    everywhere: bool = False

    def read(self, path: Path) -> str | None:
        """The text of a file that may be edited, None when there is none.

        Raises:
            LlmstackError: it cannot be read, or a link in the project leads out of it.
        """
        if not self.everywhere and not path.resolve().is_relative_to(self.project.resolve()):
            raise LlmstackError(
                f"{path} leads to {path.resolve()}, which is not in this project",
                why="What is there would be read or changed in the project's name.",
                fix="Remove the link, or wire your own files: --global",
            )
        try:
            return read_plain(path).decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise LlmstackError(f"{path} cannot be read", why=str(error)) from error


@dataclass(frozen=True, slots=True)
class FileEdit:
    """The whole new text of a file. ``secret`` files are readable by their owner only."""

    path: Path
    text: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Wiring:
    """What pointing an agent at the stack takes.

    ``environ`` are variables to set in the shell, ``command`` is how the agent is then started,
    ``notes`` are what a person should know.
    """

    edits: tuple[FileEdit, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    command: str = ""
    notes: tuple[str, ...] = field(default=())
