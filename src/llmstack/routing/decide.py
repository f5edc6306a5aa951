"""The rules of automatic routing. The first rule that matches and whose tier fits wins.

1. An uncensored trigger in the last user message or the system text that the user wrote (see
   ``authored``): the uncensored tier.
2. An ultra trigger there: the ultra tier, else the agent tier.
3. The client's agent says that it is in plan mode: the plan tier.
4. No tools, and the last user message asks for planning and not for code: the plan tier.
5. By estimated prompt size: at most the high ceiling: ultra, else agent; at most the middle
   ceiling: agent; above: agent with tools or after many user turns, else fast.

A tier that is missing, that cannot be asked now (its budget is spent, its upstream is down), or
whose window the prompt does not fit with room for the answer, is stepped over. When a prompt fits
nowhere the tier with the largest window gets it. Requests go to the uncensored tier only when they
ask for it or when the stack has no other: not because the others cannot be asked now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llmstack.errors import ModelNotFound, NothingAvailable
from llmstack.routing.authored import users_system
from llmstack.routing.decision import Decision
from llmstack.routing.quoting import own_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.dialects import RequestView
    from llmstack.routing.decision import Rule
    from llmstack.routing.kind import Mode
    from llmstack.routing.ladder import Ladder, Role, Rung
    from llmstack.routing.triggers import Trigger

_KINDS: Final[dict[str, Rule]] = {
    "uncensored trigger": "trigger",
    "ultra trigger": "trigger",
    "plan mode of the client": "mode",
    "plan words, no tools": "words",
}
_BEST_FIRST: Final[tuple[Role, ...]] = ("ultra", "agent", "fast", "plan")
_AGENT_FIRST: Final[tuple[Role, ...]] = ("agent", "ultra", "fast", "plan")
_FAST_FIRST: Final[tuple[Role, ...]] = ("fast", "agent", "ultra", "plan")


def requested(model: str | None) -> bool:
    """Whether a request that names ``model`` leaves the choice to routing."""
    return not model or model.lower() == "auto"


def decide(view: RequestView, ladder: Ladder, mode: Mode = "") -> Decision:
    """Choose the tier that answers ``view``, of a client whose agent is in ``mode``.

    Raises:
        ModelNotFound: no tier of the stack plays a role.
        NothingAvailable: some do, and none of them can be asked now. Whoever knows when that ends
            sets its ``retry_after``.
    """
    if not ladder.rungs:
        if ladder.missed:
            raise _unavailable(ladder)
        raise ModelNotFound(
            "No model can be chosen automatically",
            why="No available tier plays one of the roles fast, agent, ultra or plan.",
            fix="Name a model in the request, or give a tier in models.ini role = agent.",
        )
    return _Climb(view, ladder, mode).decision()


def _unavailable(ladder: Ladder) -> NothingAvailable:
    missed = dict.fromkeys(why for whys in ladder.missed.values() for why in whys)
    return NothingAvailable(
        "No tier can be asked now",
        why=f"{'; '.join(missed)}.",
        fix="Try again later, or name another model in the request.",
    )


class _Climb:
    """One decision in the making: the request, the ladder and what was tried so far."""

    def __init__(self, view: RequestView, ladder: Ladder, mode: Mode) -> None:
        self.view = view
        self.mode = mode
        self.ladder = ladder
        self.tried: list[str] = []
        self.said = own_words(view.last_user)
        #: What the last rule says of tiers that cannot be asked.
        self.stepped_over = ""

    def decision(self) -> Decision:
        unmet = ""
        asked_uncensored = False
        for rule, roles in self.rules():
            rung, reason = self.first_fit(rule, roles)
            if rung:
                kind = _KINDS.get(rule, "size")
                return self.chosen(rung, unmet + reason, kind)
            asked_uncensored = asked_uncensored or "uncensored" in roles
            if rule.endswith("trigger") or self.stepped_over:
                unmet += f"{reason}; "
        rungs = self.ladder.rungs
        choices = [rungs[role] for role in rungs if role != "uncensored" or asked_uncensored]
        if not choices and any(role != "uncensored" for role in self.ladder.missed):
            raise _unavailable(self.ladder)
        choices = choices or list(rungs.values())
        largest = max(choices, key=lambda rung: rung.window)
        fits = self.fits(largest)
        reason = "only tier" if fits else "fits nothing; largest window"
        return self.chosen(largest, reason + self.stepped_over)

    def rules(self) -> Iterator[tuple[str, tuple[Role, ...]]]:
        """The rules that match, each with the roles to try in order."""
        words = self.ladder.words
        if self.triggered("uncensored trigger", words.uncensored):
            yield "uncensored trigger", ("uncensored",)
        if self.triggered("ultra trigger", words.ultra):
            yield "ultra trigger", ("ultra", "agent")
        if self.mode == "plan":
            self.tried.append("plan mode of the client: yes")
            yield "plan mode of the client", ("plan",)
        elif self.mode != "build" and self.wants_plan():
            yield "plan words, no tools", ("plan",)
        yield self.by_size()

    def triggered(self, rule: str, trigger: Trigger) -> bool:
        # The prompt of a bare completion is a document, not a request to us.
        system = self.view.system
        found = self.view.dialect != "completions" and (
            trigger.found(self.said)
            or (
                trigger.mentioned(system)
                and trigger.found(own_words(users_system(system), whole=True))
            )
        )
        self.tried.append(f"{rule}: {'yes' if found else 'no'}")
        return found

    def wants_plan(self) -> bool:
        code = plan = None
        if not self.view.has_tools:
            plan = self.ladder.words.plan.find(self.said)
            code = self.ladder.words.code_in(self.view.last_user, self.said) if plan else None
        if self.view.has_tools:
            outcome = "no, tools present"
        elif plan is None:
            outcome = "no"
        else:
            outcome = f"no, {plan!r} but {code!r}" if code else f"yes, {plan!r}"
        self.tried.append(f"plan words: {outcome}")
        return plan is not None and code is None

    def by_size(self) -> tuple[str, tuple[Role, ...]]:
        view, ladder = self.view, self.ladder
        if view.tokens <= ladder.high:
            # Most stacks have no ultra tier; that it is missing is not worth a word.
            known = "ultra" in ladder.rungs or "ultra" in ladder.missed
            roles = _BEST_FIRST if known else _AGENT_FIRST
            return f"<= {ladder.high} tokens", roles
        if view.tokens <= ladder.mid:
            return f"<= {ladder.mid} tokens", _AGENT_FIRST
        if view.has_tools:
            return f"tools present above {ladder.mid}", _AGENT_FIRST
        if view.user_turns >= ladder.multi_turn:
            return f"{view.user_turns} user turns above {ladder.mid}", _AGENT_FIRST
        return f"no tools, few turns above {ladder.mid}", _FAST_FIRST

    def first_fit(self, rule: str, roles: tuple[Role, ...]) -> tuple[Rung | None, str]:
        """The first of ``roles`` that is there and fits, and the reason with what was skipped."""
        reason = rule
        self.stepped_over = ""
        for role in roles:
            rung = self.ladder.rungs.get(role)
            missed = self.ladder.missed.get(role, ())
            for why in missed:
                self.tried.append(f"{rule}: {why}")
                if why not in reason:
                    reason += f", {why}"
                    self.stepped_over += f", {why}"
            if rung and self.fits(rung):
                self.tried.append(f"{rule}: {rung.model} fits")
                return rung, reason
            if rung:
                self.tried.append(f"{rule}: {rung.model} has a window of {rung.window}")
                reason += f", {role} window too small"
            elif not missed:
                self.tried.append(f"{rule}: no {role} tier")
                if role == roles[0]:
                    reason += f", no {role} tier"
        return None, reason

    def fits(self, rung: Rung) -> bool:
        return rung.fits(self.view.tokens, self.view.max_output)

    def chosen(self, rung: Rung, reason: str, rule: Rule = "rest") -> Decision:
        role = self.ladder.role_of(rung.model)
        return Decision(rung.model, reason, self.view.tokens, tuple(self.tried), rule, role)
