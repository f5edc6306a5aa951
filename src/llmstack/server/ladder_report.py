"""The ladder as it is now, with the sessions on it, for ``GET /api/ladder``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmstack.routing.session import SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.routing.ladder import Ladder, Role
    from llmstack.server.ladders import Ladders
    from llmstack.server.sessions import Sessions

#: Sessions that are told, the latest ones.
MOST: Final = 200


def ladder_report(ladders: Ladders, sessions: Sessions) -> dict[str, Any]:
    """Each role with its tier, the numbers, and the latest sessions.

    ``ceiling`` is the largest prompt that the role gets by size, in tokens, null for no limit or
    none that sizes decide. A tier that cannot be asked says ``why``; then ``stand_in`` plays its
    role, if there is one. A session's ``tokens`` are those of its latest prompt, its ``turns`` the
    user's in it, ``seen_s`` the seconds since then.
    """
    ladder = ladders.whole
    return {
        "rungs": list(_rungs(ladders)),
        "high": ladder.high,
        "mid": ladder.mid,
        "multi_turn": ladder.multi_turn,
        "sticky": ladder.sticky,
        "switch_cost_limit": ladder.limit,
        "sessions": list(_sessions(sessions)),
    }


def _rungs(ladders: Ladders) -> Iterator[dict[str, Any]]:
    missing, now = ladders.unavailable(), ladders.now()
    for role, rung in ladders.whole.rungs.items():
        gone = missing.get(rung.model)
        present = now.rungs.get(role)
        yield {
            "role": role,
            "tier": rung.model,
            "window": rung.window,
            "ceiling": _ceiling(ladders.whole, role),
            "available": gone is None,
            "why": gone.why if gone else "",
            "stand_in": present.model if gone and present else None,
        }


def _ceiling(ladder: Ladder, role: Role) -> int | None:
    if role == "ultra":
        return ladder.high
    return ladder.mid if role == "agent" and "fast" in ladder.rungs else None


def _sessions(sessions: Sessions) -> Iterator[dict[str, Any]]:
    for key, state, ago in sessions.latest(MOST):
        turn = state.turn
        yield {
            "session": key.hex()[:SHOWN],
            "tier": state.at,
            "tokens": next((one.tokens for one in state.cached if one.model == state.at), 0),
            "turns": turn.number if turn else 0,
            "seen_s": round(ago, 1),
        }
