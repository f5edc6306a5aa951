"""Whose request it is: the session that a client names, or a fingerprint of how the talk began.

What clients send to name a session can say who their user is. It is hashed here and kept nowhere.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects import RequestView

#: Bytes of a session's key.
KEY: Final = 16
#: Hexadecimal digits of it that people are shown.
SHOWN: Final = 8
#: Characters of system text and of the first user message that make a fingerprint.
_PRINTED: Final = 8000

#: Headers that name a session, the first one that is there counts: opencode, its forks and other
#: agents, Codex.
_SESSION: Final = (
    b"x-opencode-session",
    b"x-session-affinity",
    b"x-session-id",
    b"x-claude-code-session-id",
    b"session_id",
    b"conversation_id",
)
_PARENT: Final = (b"x-parent-session-id", b"x-opencode-parent-session", b"x-session-parent-id")
#: Headers that say what a client's agent is doing: ours, and what Codex calls its sub-agents.
_MODE: Final = (b"x-llmstack-mode", b"x-opencode-agent", b"x-openai-subagent")
_DECLARED: Final = {"compact": "compaction", "compaction": "compaction"}
_LOOKED_FOR: Final = frozenset((*_SESSION, *_PARENT, *_MODE))


class Client(msgspec.Struct, frozen=True):
    """What a request says of where it comes from.

    ``session`` is the key of its session and ``parent`` that of the one which started it as a
    sub-agent; None when there is none. ``declared`` is the mode or the agent that its headers
    name, in lower case.
    """

    session: bytes
    parent: bytes | None = None
    declared: str = ""

    @property
    def shown(self) -> str:
        """The session for people: the same one always looks the same."""
        return self.session.hex()[:SHOWN]

    @property
    def is_subagent(self) -> bool:
        """Whether another session has started this one."""
        return self.parent is not None


def client_of(
    view: RequestView, headers: Iterable[tuple[bytes, bytes]] = (), owner: bytes = b""
) -> Client:
    """Read ``headers`` (lower-case names) and ``view``.

    ``owner`` is whoever shows the same API key, empty where there are none: a session is its
    owner's alone, whatever others say that theirs are called or however alike they begin.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _LOOKED_FOR and value:
            found.setdefault(name, value)
    named = _first(found, _SESSION)
    if named:
        session = _key(b"id", owner, named)
    elif view.session:
        # Claude Code's sub-agents say the same id, and some applications one cache key for all
        # their talks; how a talk began tells them apart.
        began = _bytes(view.first_user[:500])
        session = _key(b"body", owner, _bytes(view.session), began)
    else:
        session = fingerprint(view, owner)
    parent = _first(found, _PARENT)
    declared = _first(found, _MODE).decode("latin-1").strip().lower()[:40]
    return Client(
        session,
        _key(b"id", owner, parent) if parent and parent != named else None,
        _DECLARED.get(declared, declared),
    )


def fingerprint(view: RequestView, owner: bytes = b"") -> bytes:
    """The key of a session that nobody names: how it began.

    Digits of the system text do not count: some agents put the time of day into it.
    """
    system = _bytes(view.system[:_PRINTED]).translate(None, b"0123456789")
    return _key(b"print", owner, system, _bytes(view.first_user[:_PRINTED]))


def _first(found: dict[bytes, bytes], names: tuple[bytes, ...]) -> bytes:
    if not found:
        return b""
    return next((found[name] for name in names if name in found), b"")


def _key(*parts: bytes) -> bytes:
    digest = blake2b(digest_size=KEY)
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
