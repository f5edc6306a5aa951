"""The options that choose a channel, as several commands have them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.config.marker import Marker, parse_marker
from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.workdir import WorkDir

REMOTE_VARIABLE = "LLMSTACK_REMOTE_URL"

#: Where a thin client looks when no address is given: the stack of this machine.
HERE = "http://127.0.0.1:10101"

_USUAL = "use the usual models (default)"
_NEXT = "use the *_next models"


def add_channel(parser: ArgumentParser) -> None:
    """Add ``--current`` and ``--next``; the choice is ``channel``, None without one."""
    _add(parser.add_mutually_exclusive_group())


def add_any_channel(parser: ArgumentParser) -> None:
    """Add ``--external [URL]`` too; it is ``external``, None without it."""
    group = parser.add_mutually_exclusive_group()
    _add(group)
    group.add_argument(
        "--external",
        nargs="?",
        const="",
        metavar="URL",
        help=f"be a thin client of the stack at URL (default ${REMOTE_VARIABLE}, else {HERE})",
    )


def _add(group: object) -> None:
    add = group.add_argument  # type: ignore[attr-defined]  # argparse keeps the class private
    add("--current", dest="channel", action="store_const", const="current", help=_USUAL)
    add("--next", dest="channel", action="store_const", const="next", help=_NEXT)


def chosen(arguments: Namespace, work: WorkDir) -> Marker:
    """The channel that the options ask for, else the environment, else the project's own.

    Raises:
        LlmstackError: the URL is none that can be used.
    """
    from llmstack.config.marker import read_marker

    remote = os.environ.get(REMOTE_VARIABLE, "")
    if arguments.channel:
        if remote:
            print(f"[!] ${REMOTE_VARIABLE} is set and passed over", file=sys.stderr)
        return Marker(arguments.channel)
    if arguments.external is not None:
        return external(arguments.external or remote or HERE)
    if remote:
        return external(remote)
    return read_marker(work.default_channel) or Marker("current")


def external(url: str) -> Marker:
    """The marker of a thin client of ``url``; a trailing ``/`` or ``/v1`` is taken off.

    Raises:
        LlmstackError: the URL is none that can be used.
    """
    marker = parse_marker(f"external {_base(url)}")
    if marker is None:
        raise LlmstackError(
            f"{url!r} is not the address of a stack",
            fix="Write http://HOST:PORT, without user name, query or blanks.",
        )
    return marker


def explicit(arguments: Namespace) -> bool:
    """Whether the user named a stack or a channel here and now, so that no file decides."""
    named = arguments.channel or arguments.external is not None
    return bool(named or os.environ.get(REMOTE_VARIABLE))


def require_chosen(work: WorkDir, marker: Marker) -> None:
    """Make sure that a thin client asks a stack that its user chose.

    Keys and questions go there, and the file that names it comes along with a cloned project.

    Raises:
        DaemonError: only the project names it.
    """
    from llmstack.wiring.trust import is_channel_allowed

    if marker.channel != "external" or _base(os.environ.get(REMOTE_VARIABLE, "")) == marker.url:
        return
    if not is_channel_allowed(work.root):
        raise DaemonError(
            f"this project wants to use the stack at {marker.url}, which you have not allowed",
            why="Your questions, and the key in LLMSTACK_API_KEY, would go there.",
            fix=f"If you mean it: llmstack install --external {marker.url}\n"
            "Or allow the project with all that is in .llmstack: llmstack allow",
        )


def _base(url: str) -> str:
    return url.strip().rstrip("/").removesuffix("/v1").rstrip("/")
