"""What would be sent of each request: the real context code, counted by the real server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from benchmarks.context.session import PATH
from llmstack.context.body import read_history
from llmstack.context.checkpoints import Checkpoints, digests
from llmstack.context.fit import drive
from llmstack.context.needs import Asked, Fitted, NeedExact
from llmstack.context.settings import Window
from llmstack.server.calibrating import Calibrating

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.context.place import Counter
    from benchmarks.context.session import Session
    from llmstack.context.needs import Answer, Need
    from llmstack.context.settings import ContextSettings

#: Tokens that every request wants for its answer.
OUTPUT = 256
#: A summary that says nothing of what was planted: the worst that a model may write.
_SUMMARY = "\n".join(
    f"## {heading}\n" + "The work goes on as it was agreed before. " * 4
    for heading in ("Objective", "Decisions", "Files touched", "Done", "Open", "Next")
)
QUARTERS = 4


@dataclass(slots=True)
class Tally:
    """Sums over requests. ``kept`` and ``asked`` are facts by kind and by quarter of depth."""

    requests: int = 0
    refused: int = 0
    overflowed: int = 0
    steps: int = 0
    original: int = 0
    sent: int = 0
    pressed_original: int = 0
    pressed_sent: int = 0
    shared: float = 0.0
    pairs: int = 0
    counts: int = 0
    summaries: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def facts(self, session: Session, length: int, body: bytes) -> None:
        """Look for every fact planted so far in what is sent."""
        for fact in session.facts:
            if fact.item >= length:
                continue
            depth = f"q{QUARTERS * fact.item // length + 1}"
            found = fact.word.encode() in body
            for group in (fact.kind, depth, "all"):
                self.asked[group] = self.asked.get(group, 0) + 1
                self.kept[group] = self.kept.get(group, 0) + found

    def recall(self, group: str) -> float:
        """Return the part of the facts of a group that was sent."""
        return self.kept.get(group, 0) / max(1, self.asked.get(group, 0))


async def fit_session(
    counter: Counter,
    session: Session,
    settings: ContextSettings,
    window: int,
    tally: Tally,
    pressed: int,
) -> None:
    """Send every request of a session to nobody, and add to ``tally`` what would have arrived.

    Facts are looked for in requests that as they are do not fit a window of ``pressed`` tokens.
    """
    store, calibrating = Checkpoints(), Calibrating(None)
    before = ""

    async def meet(need: Need) -> Answer:
        if isinstance(need, NeedExact):
            tally.counts += 1
            return await counter.count(PATH, need.body)
        tally.summaries += 1
        message = {"role": "assistant", "content": _SUMMARY}
        return msgspec.json.encode({"choices": [{"message": message}]})

    for length in session.requests:
        body = session.body(length, max_tokens=OUTPUT)
        original = await counter.count(PATH, body)
        chain = digests(PATH, body)
        asked = Asked(
            PATH,
            body,
            Window(window, "served"),
            settings,
            lambda history: calibrating.estimate("m", history),
            chain,
            store.find("m", chain),
            local=True,
        )
        outcome = await drive(asked, meet)
        tally.requests += 1
        if not isinstance(outcome, Fitted):
            tally.refused += 1
            continue
        if outcome.checkpoint:
            store.add("m", outcome.checkpoint)
        tally.steps += outcome.checkpoint is not None
        sent = await counter.count(PATH, outcome.body)
        history = read_history(PATH, outcome.body)
        if history is not None:
            calibrating.learn_exactly("m", history, sent)
        tally.overflowed += sent + OUTPUT > window
        tally.original += original
        tally.sent += sent
        now = _prompt(outcome.body)
        if before:
            tally.pairs += 1
            tally.shared += _shared(before, now) / len(now)
        before = now
        if original + OUTPUT > pressed:
            tally.pressed_original += original
            tally.pressed_sent += sent
            tally.facts(session, length, outcome.body)


def _shared(before: str, now: str) -> int:
    """Return the length of what both begin with."""
    pairs = enumerate(zip(before, now, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(before), len(now)))


def _prompt(body: bytes) -> str:
    messages: Sequence[object] = msgspec.json.decode(body)["messages"]
    return "\n".join(msgspec.json.encode(message).decode() for message in messages)
