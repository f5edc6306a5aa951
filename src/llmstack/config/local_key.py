"""The key of this machine's own programs: the command line, and the agents that were wired.

It is made once, is readable by its owner only, and counts only where a request comes from this
machine itself. Clients are pointed at the file, so it stands in no other.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from llmstack.config.plain_file import read_plain
from llmstack.config.workdir import write_atomically

if TYPE_CHECKING:
    from llmstack.config.workdir import WorkDir

#: How keys begin; programs that look for leaked secrets go by such words.
PREFIX = "sk-llmstack-"

#: Characters of a key that may be shown: its beginning and 24 of its 256 random bits.
SHOWN = len(PREFIX) + 4

_SHORTEST = 32

_PRIVATE = ("local-key", "keys.json", "keys.json.lock", "config.json")


def new_key() -> str:
    """A key with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def read_local_key(work: WorkDir) -> str:
    """The key, empty where there is none yet or it cannot be read."""
    try:
        key = read_plain(work.local_key, 4096).decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    return key if len(key) >= _SHORTEST and key.isprintable() and " " not in key else ""


def ensure_local_key(work: WorkDir) -> str:
    """The key, made if there is none. A file that others may read is taken back from them.

    Raises:
        OSError: it cannot be written.
    """
    path = work.local_key
    if key := read_local_key(work):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return key
    key = new_key()
    write_atomically(path, f"{key}\n", mode=0o600)
    ignore = work.state / ".gitignore"
    if not ignore.exists():  # a project may be shared, but not who may ask its stack here
        write_atomically(ignore, "\n".join(_PRIVATE) + "\n")
    return key
