"""Sessions are remembered within bounds, and tell which models others still use."""

from __future__ import annotations

from llmstack.routing import SessionState
from llmstack.server.sessions import LATELY, Sessions


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def test_the_session_not_seen_for_longest_is_forgotten_first() -> None:
    sessions = Sessions(Clock().now, most=2)
    for key in (b"a", b"b", b"a", b"c"):
        sessions.keep(key, SessionState(home=key.decode()))
    assert len(sessions) == 2
    assert sessions.get(b"b") is None
    assert sessions.get(None) is None
    assert sessions.get(b"a") == SessionState(home="a")


def test_users_of_a_model_are_other_sessions_that_were_there_lately() -> None:
    clock = Clock()
    sessions = Sessions(clock.now)
    sessions.keep(b"old", SessionState(at="plan"))
    clock.time = LATELY + 1
    sessions.keep(b"one", SessionState(at="coder"))
    sessions.keep(b"two", SessionState(at="coder"))
    sessions.keep(b"new", SessionState())
    assert sessions.users(b"one") == {"coder": 1}
    assert sessions.users(b"else") == {"coder": 2}
