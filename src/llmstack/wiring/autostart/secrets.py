"""The file with variables that only the user may read, as ``EnvironmentFile`` of systemd is."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from llmstack.config.plain_file import read_plain
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_secrets(path: Path) -> dict[str, str]:
    """The variables in ``path``; none if there is no such file.

    Raises:
        LlmstackError: others may read it, or a line is no ``NAME=value``.
        OSError: it cannot be read.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        return {}
    if os.name == "posix" and (
        facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ):
        raise LlmstackError(
            f"others may read {path}",
            why="It is for keys that nobody else may see.",
            fix=f"chmod 600 {path}",
        )
    return parse_secrets(read_plain(path).decode("utf-8", "replace"), str(path))


def parse_secrets(text: str, where: str = "the file") -> dict[str, str]:
    """``NAME=value`` lines; ``#`` and ``;`` begin comments, a value may stand in quotes.

    Raises:
        LlmstackError: a line is none of these. It is not shown, for it may hold a key.
    """
    found = {}
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        name, sign, value = line.partition("=")
        if not sign or not _NAME.fullmatch(name.strip()):
            raise LlmstackError(f"{where}:{number} is no NAME=value", fix="Mend that line.")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return found
