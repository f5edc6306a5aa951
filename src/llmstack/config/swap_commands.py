"""What is probably not meant in a command of a llama-swap configuration.

No shell ever sees a command, so what is only a shell's business reaches the program as arguments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.config.command import split_command

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SHELL = frozenset({"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"})


def command_faults(text: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a command, to be said after its name, and what to do."""
    try:
        arguments = split_command(text)
    except ValueError as error:
        fix = "Close the quote." if text.strip() else "Write the program and its arguments."
        yield f"cannot be run: {error}", fix
        return
    if _ASSIGNMENT.match(arguments[0]):
        yield "begins with an assignment, but there is no shell", "Write NAME=value under env."
    if "#" in arguments:
        yield (
            "has # as an argument: only whole lines are comments",
            "Put the comment on a line of its own.",
        )
    if found := next((argument for argument in arguments if argument in _SHELL), ""):
        yield (
            f"has {found} as an argument, but there is no shell",
            "Write a script and run that, or run sh -c '...'.",
        )
