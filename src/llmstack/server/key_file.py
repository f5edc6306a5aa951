"""Changes of the key file: one at a time, whole, and for its owner's eyes only.

What is kept of a key is its SHA-256 digest. A slow hash, as passwords need, would add nothing: the
keys have 256 random bits, so there is nothing to guess.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from llmstack.config.access_key import AccessKey, parse_name
from llmstack.config.key_sources import parse_key_file
from llmstack.config.local_key import SHOWN, new_key
from llmstack.config.numbers import BadValueError
from llmstack.config.plain_file import read_plain
from llmstack.config.problems import nearest
from llmstack.config.workdir import write_atomically
from llmstack.errors import LlmstackError
from llmstack.hub.file_lock import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class KeyRefused(LlmstackError):
    """A key cannot be made as it was asked for."""


class NoSuchKey(LlmstackError):
    """There is no key of that name to take back."""


def read_keys(path: Path) -> tuple[AccessKey, ...]:
    """The keys of the file; none where there is no file.

    Raises:
        ConfigError: it is not a key file.
        OSError: it cannot be read.
    """
    try:
        text = read_plain(path)
    except FileNotFoundError:
        return ()
    return parse_key_file(text, str(path))


def add_key(
    path: Path,
    name: str,
    *,
    now: float,
    models: tuple[str, ...] | None = None,
    admin: bool = False,
    expires: int | None = None,
    rate: int | None = None,
) -> tuple[str, AccessKey]:
    """Make a key; the key itself, which is kept nowhere, and what is kept of it.

    Raises:
        KeyRefused: the name is none, or is taken.
        ConfigError, OSError: see ``read_keys``; or the file cannot be written.
    """
    try:
        parse_name(name)
    except BadValueError as error:
        raise KeyRefused(error.what, fix=error.fix) from None
    secret = new_key()
    key = AccessKey(
        name=name,
        sha256=sha256(secret.encode()).hexdigest(),
        models=models,
        admin=admin,
        prefix=secret[:SHOWN],
        created=int(now),
        expires=expires,
        rate=rate,
    )
    with _changing(path) as keys:
        if any(other.name == name for other in keys):
            raise KeyRefused(
                f"there is a key called {name!r} already",
                fix=f"Choose another name, or take that one back: llmstack keys revoke {name}",
            )
        keys.append(key)
    return secret, key


def revoke_key(path: Path, name: str) -> AccessKey:
    """Take a key back; what it was.

    Raises:
        NoSuchKey: there is none of that name.
        ConfigError, OSError: see ``add_key``.
    """
    with _changing(path) as keys:
        for key in keys:
            if key.name == name:
                keys.remove(key)
                return key
        names = [key.name for key in keys]
        fix = nearest(name, names) or f"There are: {', '.join(names) or 'none'}."
        raise NoSuchKey(f"no key is called {name!r}", fix=fix)


@contextmanager
def _changing(path: Path) -> Iterator[list[AccessKey]]:
    """The keys, to be changed in place; written if the block ends well."""
    with locked(path.with_name(f"{path.name}.lock")):
        keys = list(read_keys(path))
        yield keys
        text = json.dumps({"keys": [key.to_json() for key in keys]}, indent=1) + "\n"
        write_atomically(path, text, mode=0o600)
