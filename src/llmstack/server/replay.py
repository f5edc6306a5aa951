"""A recorded day through another policy: what would have moved, and the seconds at stake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from statistics import median
from typing import TYPE_CHECKING, Final

from llmstack.dialects.read import dialect_of
from llmstack.routing.session import Client
from llmstack.routing.simulation import Event, NamedFirst
from llmstack.routing.simulation.recorded import NAMED, asked, kind_in
from llmstack.server.speeds import LONG_ENOUGH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llmstack.activity import ActivityRow
    from llmstack.routing.simulation import Cost, Outcome, SimulatedMachine, Step
    from llmstack.server.rehearsal import Stage

#: A user needs more seconds than this for the next message; sooner comes a client's own request.
#: Only where the log does not say what continues a turn.
AT_ONCE: Final = 5.0
#: APIs whose requests belong to a session.
_TALKS: Final = frozenset(("chat", "responses", "messages"))


@dataclass(frozen=True, slots=True)
class Recording:
    """What can be replayed of a log, beside counts of what cannot, or only by a guess."""

    events: tuple[Event, ...]
    models: tuple[str, ...]
    left_out: int
    without_session: int
    unsure: int
    load_seconds: float

    @property
    def named(self) -> int:
        """Requests whose client named the model."""
        return sum(event.view.model != "auto" for event in self.events)


@dataclass(frozen=True, slots=True)
class Replay:
    """Both simulations; ``moved`` are pairs of steps that went to different models."""

    recording: Recording
    before: Outcome
    after: Outcome
    moved: tuple[tuple[Step, Step], ...]


class _AsRecorded:
    def __init__(self, recording: Recording) -> None:
        self._models = {
            id(event): model
            for event, model in zip(recording.events, recording.models, strict=True)
        }

    def choose(self, event: Event, machine: SimulatedMachine, now: float) -> str:  # noqa: ARG002
        """The model that answered."""
        return self._models[id(event)]


def record(rows: Iterable[ActivityRow], stage: Stage) -> Recording:
    """The requests of ``rows`` for conversations with tiers of the stage's stack."""
    events: list[Event] = []
    models: list[str] = []
    left_out = nameless = unsure = 0
    last: dict[str, tuple[int, float]] = {}
    turns: dict[str, int] = {}
    loaded = 0.0
    origin: float | None = None
    for row in rows:
        model = row.tier or row.model
        dialect = dialect_of(row.req_path)
        tokens = _prompt(row)
        if model not in stage.costs or dialect not in _TALKS or not tokens:
            left_out += 1
            continue
        session = row.metadata.get("session", "")
        nameless += not session
        session = session or f"client {row.client}"
        seconds = row.duration_ms / 1000
        origin = row.timestamp - seconds if origin is None else origin
        began = max(row.timestamp - seconds - origin, 0.0)
        after = last.get(session)
        pause = began - after[1] if after else 0.0
        kind = kind_in(row.reason)
        if kind == "turn" and after and pause < AT_ONCE and "stay" not in row.reason:
            kind = "continuation"
        if kind in ("turn", "follow-up"):
            turns[session] = turns.get(session, 0) + 1
        one = asked(row.reason, model, tokens, turns.get(session, 1), stage.ladder, dialect)
        unsure += not one.sure
        side = kind not in ("turn", "continuation", "follow-up")
        events.append(
            Event(
                at=began,
                after=after[0] if after and pause >= 0 else None,
                pause=max(pause, 0.0),
                agent="plan" if stage.ladder.role_of(model) == "plan" else "build",
                client=Client(blake2b(session.encode(), digest_size=16).digest()),
                kind=kind,
                mode=one.mode,
                view=one.view,
                conversation=f"{session}/{kind if side else ''}{len(events) if side else ''}",
                prefix=session,
                prefix_tokens=0,
                output=max(row.usage.output_tokens, 0),
            )
        )
        models.append(model)
        loaded += (row.load_ms or 0) / 1000
        if not side:
            last[session] = (len(events) - 1, began + seconds)
    return Recording(tuple(events), tuple(models), left_out, nameless, unsure, loaded)


def measured(rows: Sequence[ActivityRow], costs: Mapping[str, Cost]) -> dict[str, Cost]:
    """``costs`` with what the rows measured in the place of what is assumed."""
    known = dict(costs)
    for model, cost in costs.items():
        own = [row for row in rows if (row.tier or row.model) == model]
        loads = [row.load_ms / 1000 for row in own if row.load_ms]
        reads = [
            u.prompt_per_second
            for row in own
            if (u := row.usage).prompt_per_second > 0 and u.input_tokens >= LONG_ENOUGH
        ]
        writes = [u.tokens_per_second for row in own if (u := row.usage).tokens_per_second > 0]
        known[model] = replace(
            cost,
            load=median(loads) if loads else cost.load,
            prefill=median(reads) if reads else cost.prefill,
            decode=median(writes) if writes else cost.decode,
        )
    return known


def replay(rows: Sequence[ActivityRow], here: Stage, there: Stage, policy: str) -> Replay:
    """``rows``, recorded with the stack ``here``, through ``policy`` with the stack ``there``."""
    here = replace(here, costs=measured(rows, here.costs))
    there = replace(there, costs=measured(rows, there.costs))
    recording = record(rows, here)
    before, old = here.play(recording.events, _AsRecorded(recording))
    tiers = {model: model for model in there.costs}
    other = NamedFirst(there.policy(policy), tiers)
    after, new = there.play(recording.events, other)
    news = {id(step.event): step for step in new}
    pairs = ((step, news[id(step.event)]) for step in old)
    moved = tuple(pair for pair in pairs if pair[0].model != pair[1].model)
    return Replay(recording, before, after, moved)


def _prompt(row: ActivityRow) -> int:
    """Tokens of the whole prompt: of local answers the log counts those from the cache apart."""
    usage = row.usage
    apart = max(usage.cache_tokens, 0) if row.backend in ("", "local") else 0
    return max(usage.input_tokens, 0) + apart


__all__ = ["NAMED", "Recording", "Replay", "measured", "record", "replay"]
