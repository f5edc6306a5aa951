"""The keys that are in force: read at the start, looked at again while the daemon runs.

Nothing here ever opens what was closed: a source that cannot be read any more leaves the keys in
force that it had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from llmstack.config.access_key import LOCAL, AccessKey
from llmstack.config.key_sources import (
    VARIABLE,
    merged,
    parse_config_json,
    parse_key_file,
    parse_variable,
)
from llmstack.config.plain_file import read_plain
from llmstack.errors import ConfigError, DaemonError
from llmstack.server.token_bucket import TokenBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from llmstack.config.workdir import WorkDir

log = logging.getLogger("llmstack.keys")

#: Seconds between two looks at the files.
LOOK = 1.0

#: What a file looks like from outside: when it was changed, its size, which file it is, its mode.
_Mark = tuple[int, int, int, int]


class KeyRing:
    """The keys of the stack in ``work``.

    ``open_to_network`` says that others than this machine can connect: then a key is needed even
    when the last one has been revoked. ``now`` is Unix time, ``clock`` one that never goes back;
    both in seconds.

    Raises:
        ConfigError: a source is wrong.
        DaemonError: a file cannot be read.
    """

    def __init__(
        self,
        work: WorkDir,
        environ: Mapping[str, str],
        *,
        local_key: str = "",
        open_to_network: bool = False,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now, self._clock = now, clock
        self._network = open_to_network
        self._local = (
            AccessKey(LOCAL, sha256(local_key.encode()).hexdigest(), admin=True)
            if local_key
            else None
        )
        #: The file that ``llmstack keys`` writes.
        self.path = work.keys
        self._local_bytes = local_key.encode()
        self._files = [
            _KeyFile(work.keys, parse_key_file),
            _KeyFile(work.plain_keys, parse_config_json),
        ]
        self._variable = parse_variable(environ.get(VARIABLE, ""))
        self._buckets: dict[str, TokenBucket] = {}
        self.last_used: dict[str, int] = {}
        for file in self._files:
            file.read_first()
        self._take()

    @property
    def required(self) -> bool:
        """Whether clients need a key."""
        return self._network or bool(self.keys)

    def usable(self) -> bool:
        """Whether there is a key that has not expired."""
        now = self._now()
        return any(not key.expired(now) for key in self.keys)

    def find(self, shown: bytes, *, local: bool) -> AccessKey | None:
        """The key that is ``shown``, if it is valid now.

        ``local`` says that the request comes from this machine; its own key counts only then. A
        digest is looked up by a hash that nobody outside knows, and compared in constant time.
        """
        digest = sha256(shown).hexdigest()
        own = self._local
        if own is not None and local and compare_digest(own.sha256, digest):
            return own
        key = self._by_digest.get(digest)
        if key is None or not compare_digest(key.sha256, digest):
            return None
        now = self._now()
        if key.expired(now):
            return None
        self.last_used[key.name] = int(now)
        return key

    def shows_own(self, shown: bytes) -> bool:
        """Whether what is shown is the key of this machine's own programs."""
        return bool(self._local_bytes) and compare_digest(self._local_bytes, shown)

    def wait_of(self, key: AccessKey) -> float:
        """0 if ``key`` may make one more request now, else the seconds until it may."""
        if key.rate is None:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get(key.sha256)
        if bucket is None or bucket.rate != key.rate:
            bucket = self._buckets[key.sha256] = TokenBucket(key.rate, now)
        return bucket.take(now)

    def expired(self, key: AccessKey) -> bool:
        """Whether it is not valid any more."""
        return key.expired(self._now())

    def refresh(self) -> bool:
        """Look at the files now; whether the keys changed."""
        if True not in [file.look() for file in self._files]:
            return False
        before = self.keys
        self._take()
        if self.keys == before:
            return False
        log.info("%d keys are in force", len(self.keys))
        return True

    async def watch(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            self.refresh()

    def _take(self) -> None:
        own, plain = self._files
        others = plain.keys if plain.there else self._variable
        self.keys = merged(own.keys, others)
        self._by_digest = {key.sha256: key for key in self.keys}
        rated = {key.sha256 for key in self.keys if key.rate is not None}
        self._buckets = {of: one for of, one in self._buckets.items() if of in rated}


class _KeyFile:
    """One file and the keys that it last had. ``there`` says whether there has been such a file."""

    def __init__(
        self, path: Path, parse: Callable[[str | bytes, str], tuple[AccessKey, ...]]
    ) -> None:
        self._path = path
        self._parse = parse
        self._mark: _Mark | None = None
        self.keys: tuple[AccessKey, ...] = ()
        self.there = False

    def read_first(self) -> None:
        """Read it, if there is one. Raises ConfigError, DaemonError."""
        self._mark = _mark(self._path)
        try:
            self._read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise DaemonError(
                f"{self._path} cannot be read",
                why=error.strerror or str(error),
                fix="It says who may ask: make it readable for you, or move it away.",
            ) from error

    def look(self) -> bool:
        """Whether it has been read anew. What cannot be read leaves everything as it was."""
        mark = _mark(self._path)
        if mark == self._mark:
            return False
        self._mark = mark
        try:
            self._read()
        except FileNotFoundError:
            if self.keys:
                log.warning(
                    "%s is gone; its keys stay in force until the next start"
                    " (llmstack keys revoke takes one back)",
                    self._path,
                )
            return False
        except (ConfigError, OSError) as error:
            log.warning("the former keys stay in force: %s", error)
            return False
        return True

    def _read(self) -> None:
        self.keys = self._parse(read_plain(self._path), str(self._path))
        self.there = True
        if fault := exposed(self._path):
            log.warning("%s", fault)


def exposed(path: Path) -> str:
    """What is wrong with who may read or change ``path``, empty for nothing."""
    try:
        mode = path.stat().st_mode & 0o777
    except OSError:
        return ""
    # Windows keeps this elsewhere; what stat says there means nothing.
    if path.drive or not mode & 0o077:
        return ""
    return f"{path} can be read or changed by others (mode {mode:o}): chmod 600 {path}"


def _mark(path: Path) -> _Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
