"""The choice of a model that knows what a switch costs: ``decide``, a turn lock, and prices.

In this order, and the first that applies wins:

1. Side work (titles, summaries, probes, counting) goes to the small tier if it is loaded, else to
   whatever is; it loads and evicts nothing while anything is loaded that can answer it.
2. A compaction goes to the session's own model if that is loaded, for it must fit like the session.
3. What continues a turn (the same request again, results of tools, terse follow-ups) stays on the
   turn's model while that fits and can be asked.
4. What the user or the client asks for (a trigger, a mode) is done, whatever it costs.
5. A sub-agent is a part of its parent's turn: it makes nobody leave for it while the parent's
   model can answer.
6. The ladder's choice, unless a switch to it costs more than it is worth (``price``).

With ``sticky = off`` there is only the ladder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from llmstack.routing.decide import decide
from llmstack.routing.decision import Decision
from llmstack.routing.kind import SIDE
from llmstack.routing.price import UNKNOWN, Machine, Price, price_of
from llmstack.routing.turns import SessionState, Turn, turn_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.dialects import RequestView
    from llmstack.routing.kind import Kind, Mode
    from llmstack.routing.ladder import Ladder, Role, Rung

_NEW: Final = SessionState()
#: Which role side work is given to, of those whose models are loaded.
_SMALL_FIRST: Final[tuple[Role, ...]] = ("fast", "agent", "plan", "ultra", "uncensored")
#: The same for a compaction.
_ABLE_FIRST: Final[tuple[Role, ...]] = ("agent", "ultra", "plan", "fast")


class Routed(msgspec.Struct, frozen=True):
    """A decision, the session after it, and what it was weighed against."""

    decision: Decision
    state: SessionState
    prices: tuple[Price, ...] = ()


def route(
    view: RequestView,
    ladder: Ladder,
    state: SessionState | None = None,
    machine: Machine = UNKNOWN,
    *,
    kind: Kind = "turn",
    mode: Mode = "",
    parent: SessionState | None = None,
) -> Routed:
    """Choose the tier that answers ``view`` of a session in ``state`` (None for a new one).

    ``parent`` is the session that started this one as a sub-agent. The errors are ``decide``'s.
    """
    if not ladder.sticky:
        return Routed(decide(view, ladder), state or _NEW)
    if state is None:
        # A sub-agent begins where its parent is, so that the two do not push each other out.
        state = SessionState(home=parent.model or parent.home) if parent else _NEW
    if kind in SIDE:
        return _side(view, ladder, state, machine, kind)
    if kind == "compaction":
        return _compaction(view, ladder, state, machine)
    turn = turn_of(view, mode)
    why = ""
    if held := _held(turn, state, kind):
        rung = ladder.rung_of(held)
        if rung and _fits(rung, view):
            what = "a terse follow-up" if kind == "follow-up" else "the same turn"
            decision = _chosen(rung, ladder, view, f"{what} stays on {rung.model}")
            return Routed(decision, state.decided(decision, turn, machine, keeps_home=True))
        why = f"no longer fits {held}; " if rung else f"{held} can no longer be asked; "
    decision = decide(view, ladder, mode)
    prices: tuple[Price, ...] = ()
    if not decision.asked:
        theirs = _ready(parent.at, view, ladder, machine) if parent else None
        if theirs and not machine[decision.model].ready:
            reason = f"a sub-agent stays on {theirs.model} like its parent; {decision.reason}"
            role = ladder.role_of(theirs.model)
            decision = replace(decision, model=theirs.model, reason=reason, role=role)
        else:
            decision, prices = _thrifty(decision, view, ladder, state, machine)
    if why:
        decision = replace(decision, reason=why + decision.reason)
    after = state.decided(decision, turn, machine, keeps_home=decision.asked)
    return Routed(decision, after, prices)


def named(
    model: str, view: RequestView, state: SessionState | None, machine: Machine, kind: Kind
) -> SessionState | None:
    """The session after a request that names ``model``; None where nothing is to be kept."""
    if kind in SIDE:
        return None
    return (state or _NEW).used(model, view.tokens, machine)


def _held(turn: Turn, state: SessionState, kind: Kind) -> str:
    """The model that a request must stay on if it can, empty for none."""
    if kind == "continuation":
        return state.continued(turn)
    # A first turn that comes again is a new talk that begins like another.
    if turn == state.turn and turn.number > 1:
        return state.model
    if kind == "follow-up" and state.turn and state.turn.may_go_on_as(turn):
        return state.model
    return ""


def _thrifty(
    wanted: Decision, view: RequestView, ladder: Ladder, state: SessionState, machine: Machine
) -> tuple[Decision, tuple[Price, ...]]:
    """What the ladder wants, or to stay where that costs too much."""
    there = machine[wanted.model]
    if there.ready or wanted.model == state.home:
        return wanted, ()
    prices = []
    for rung, role in _alternatives(wanted, view, ladder, state, machine):
        prices.append(
            price_of(
                (rung.model, role),
                (wanted.model, wanted.role),
                view.tokens,
                machine,
                cached=state.cached,
                home=state.home,
                limit=ladder.limit,
            )
        )
    # Where staying loses least.
    for price in sorted(prices, key=lambda one: one.worth):
        if price.too_high:
            rung_ = ladder.rung_of(price.stay)
            assert rung_
            reason = (
                f"stays on {price.stay}: a switch to {price.target} costs about "
                f"{price.seconds:.0f} s; {wanted.reason}"
            )
            tried = (*wanted.tried, *map(str, prices))
            kept = replace(wanted, model=price.stay, reason=reason, tried=tried)
            return replace(kept, role=ladder.role_of(price.stay)), tuple(prices)
    return replace(wanted, tried=(*wanted.tried, *map(str, prices))), tuple(prices)


def _alternatives(
    wanted: Decision, view: RequestView, ladder: Ladder, state: SessionState, machine: Machine
) -> Iterator[tuple[Rung, Role]]:
    """Models that can answer without a load: the session's own, and others' that would leave."""
    evicted = machine[wanted.model].evicts
    for role, rung in ladder.rungs.items():
        place = machine[rung.model]
        if role == "uncensored" or not place.ready or not _fits(rung, view):
            continue
        theirs = rung.model in evicted and machine.wants(rung.model)
        if rung.model == state.home or theirs:
            yield rung, role


def _side(
    view: RequestView, ladder: Ladder, state: SessionState, machine: Machine, kind: Kind
) -> Routed:
    """Side work changes nothing: neither what is loaded nor the session."""
    loaded: list[Rung] = []
    elsewhere: list[Rung] = []
    for role in _SMALL_FIRST:
        rung = ladder.rungs.get(role)
        if rung is None or not _fits(rung, view):
            continue
        place = machine[rung.model]
        if place.hosted and role != "fast":
            elsewhere.append(rung)  # it may cost money
        elif place.ready or place.loading:
            loaded.append(rung)
    # Tokens are best counted by the model that will read them.
    if kind == "count" and (own := _ready(state.model or state.home, view, ladder, machine)):
        return Routed(_chosen(own, ladder, view, f"{kind}: {own.model} reads it"), state)
    small = ladder.rungs.get("fast")
    if loaded:
        # What is ready before what is still loading, the small one before the others.
        rung = min(loaded, key=lambda one: not machine[one.model].ready)
        what = "the small tier" if rung is small else "what is loaded"
        return Routed(_chosen(rung, ladder, view, f"{kind} goes to {what}"), state)
    if small and _fits(small, view) and not machine[small.model].evicts:
        return Routed(_chosen(small, ladder, view, f"{kind} goes to the small tier"), state)
    if elsewhere:
        rung = elsewhere[0]
        return Routed(_chosen(rung, ladder, view, f"{kind} goes to what others host"), state)
    # Nothing that could answer is loaded. The least harm is the model that the session needs next.
    decision = decide(replace(view, last_user=""), ladder)
    return Routed(replace(decision, reason=f"{kind}, nothing loaded: {decision.reason}"), state)


def _compaction(view: RequestView, ladder: Ladder, state: SessionState, machine: Machine) -> Routed:
    for model in (state.model, state.at, state.home):
        if own := _ready(model, view, ladder, machine):
            reason = f"compaction stays on {own.model}"
            return Routed(_chosen(own, ladder, view, reason), state)
    # Its words are those of the whole conversation, so only its size counts.
    decision = decide(replace(view, last_user="", system=""), ladder)
    if not machine[decision.model].ready:
        for role in _ABLE_FIRST:
            rung = ladder.rungs.get(role)
            if rung and (there := _ready(rung.model, view, ladder, machine)):
                reason = "compaction goes to what is loaded"
                return Routed(_chosen(there, ladder, view, reason), state)
    return Routed(replace(decision, reason=f"compaction: {decision.reason}"), state)


def _ready(model: str, view: RequestView, ladder: Ladder, machine: Machine) -> Rung | None:
    rung = ladder.rung_of(model) if model else None
    return rung if rung and machine[model].ready and _fits(rung, view) else None


def _fits(rung: Rung, view: RequestView) -> bool:
    return rung.fits(view.tokens, view.max_output)


def _chosen(rung: Rung, ladder: Ladder, view: RequestView, reason: str) -> Decision:
    role = ladder.role_of(rung.model)
    return Decision(rung.model, reason, view.tokens, (reason,), "rest", role)
