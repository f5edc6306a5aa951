"""The router that knows its sessions, asked about single turns of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmstack.dialects import read
from llmstack.routing.evaluation.request import request
from llmstack.routing.kind import kind_of, mode_of
from llmstack.routing.route import route
from llmstack.routing.session import client_of
from llmstack.routing.turns import SessionState, turn_of

if TYPE_CHECKING:
    from llmstack.routing.evaluation.policies import Policy
    from llmstack.routing.evaluation.turn import Turn
    from llmstack.routing.ladder import Ladder, Role


def by_session(ladder: Ladder) -> Policy:
    """``route`` with every model loaded, so that no switch has a price.

    The session is on the tier that the set says it stands on, however it came there: a wrong
    choice earlier in the session is not counted again.
    """
    roles = {rung.model: role for role, rung in ladder.rungs.items()}

    def policy(turn: Turn) -> Role:
        sent = request(turn)
        view = read(sent.path, sent.body)
        headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
        declared = client_of(view, headers).declared
        routed = route(
            view,
            ladder,
            _before(turn, ladder),
            kind=kind_of(view, sent.path, declared),
            mode=mode_of(view, declared),
        )
        return roles[routed.decision.model]

    return policy


def _before(turn: Turn, ladder: Ladder) -> SessionState | None:
    """What the gateway would remember when the newest message comes."""
    if not turn.standing:
        return None
    model = ladder.rungs[turn.standing].model
    if not turn.session:  # a compaction brings its session as a text
        return SessionState(home=model, at=model)
    asked = max(index for index, said in enumerate(turn.session) if said.role == "user")
    last = msgspec.structs.replace(
        turn, text=turn.session[asked].text, session=turn.session[:asked], reminder=""
    )
    sent = request(last)
    # Who is in a plan mode now, or has just left one, was in it when the plan was made.
    planned = turn.standing == "plan" and turn.mode in {"plan", "build"}
    turn_before = turn_of(read(sent.path, sent.body), "plan" if planned else "")
    return SessionState(home=model, turns=((turn_before, model),), at=model)
