"""Command texts of a configuration as argument lists. No shell is ever involved."""

from __future__ import annotations

import shlex


def strip_comments(text: str) -> str:
    """``text`` without the lines whose first non-blank character is ``#``."""
    if "#" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))


def split_command(text: str) -> tuple[str, ...]:
    """The arguments of a command: POSIX quoting, line breaks are blanks, ``#`` lines are dropped.

    A backslash at the end of a line is optional. Variables, globs, pipes and ``&&`` mean nothing.
    Raises ValueError with the message ``empty command`` when no argument is left, or with one
    that names the quoting mistake.
    """
    try:
        arguments = shlex.split(join_lines(strip_comments(text)), comments=False, posix=True)
    except ValueError as error:
        cause = str(error).rstrip(".").lower()
        raise ValueError(f"cannot split the command: {cause}") from None
    if not arguments:
        raise ValueError("empty command")
    return tuple(arguments)


def join_lines(text: str) -> str:
    """``text`` with a blank for each backslash at the end of a line."""
    lines = []
    for line in text.split("\n"):
        trimmed = line.rstrip()
        lines.append(f"{trimmed[:-1]} " if trimmed.endswith("\\") else line)
    return "\n".join(lines)
