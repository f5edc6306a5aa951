"""Fitting one request: count, step down, count again. Decides everything and does nothing.

A driver sends answers to what is yielded, and gets the end as the generator's value:

    steps = fitting(asked)
    need = next(steps)
    while True:
        need = steps.send(await meet(need))
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from llmstack.context.body import apply, read_history
from llmstack.context.checkpoint import Checkpoint, reach
from llmstack.context.compaction import Overflow
from llmstack.context.edits import Drop, LimitOutput, Note
from llmstack.context.ladder import compact, stand
from llmstack.context.needs import Fitted, NeedExact, NeedSummary, Unfit
from llmstack.context.phrases import partly
from llmstack.context.report import Report
from llmstack.context.room import begins_at, free_output, room_of, summary_tokens
from llmstack.context.settings import Room, Window
from llmstack.context.summary import ask_for_summary, read_summary
from llmstack.context.texts import BodyTexts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from llmstack.context.compaction import Compaction, Span
    from llmstack.context.edits import Edit
    from llmstack.context.history import History
    from llmstack.context.needs import Answer, Asked, Measured, Need
    from llmstack.context.overflow import Overflow as Told
    from llmstack.context.report import SummaryState
    from llmstack.context.settings import ContextSettings

#: An estimate from this part of the window on is not good enough, nor from this part of the room
#: for the prompt on: it may begin to be cut below the former, where much is kept for the answer.
_NEAR, _CLOSE = 0.7, 0.8
#: What an estimate may be wrong by where nobody can count, and where a server said it was.
_DOUBT: Final = 1.1
_ROUNDS: Final = 3
#: Tokens of the instruction that asks for a summary.
_INSTRUCTION: Final = 400


def fitting(asked: Asked) -> Generator[Need, Answer, Fitted | Unfit]:
    """Fit a request. Raises BadRequest for a body that is no JSON object.

    Without a window or with policy ``off`` the body stays as it is, byte for byte.
    """
    known = asked.settings.policy != "off" and asked.window.tokens > 0
    history = read_history(asked.path, asked.body) if known else None
    if history is None:
        return Fitted(asked.body, Report(asked.settings.policy, asked.window))
    return (yield from _Fitting(asked, history).steps())


async def drive(asked: Asked, meet: Callable[[Need], Awaitable[Answer]]) -> Fitted | Unfit:
    """``fitting`` with somebody who meets its needs."""
    steps = fitting(asked)
    try:
        need = next(steps)
        while True:
            need = steps.send(await meet(need))
    except StopIteration as end:
        fitted: Fitted | Unfit = end.value
        return fitted


def again(asked: Asked, sent: bytes, told: Told) -> Asked | None:
    """The request once more, after an upstream refused ``sent`` as too long.

    None when there was a second time already, or nothing to learn and to do.
    """
    history = read_history(asked.path, sent)
    if asked.retried or history is None or asked.settings.policy == "off":
        return None
    estimate = _total(asked, history, asked.scale)
    window, scale = asked.window, asked.scale
    if told.prompt and estimate:
        scale *= max(1.0, told.prompt / estimate)
    if told.window:
        window = Window(told.window, "learned")
    elif not told.prompt or not window.tokens or told.prompt <= window.tokens:
        # It said nothing of its window but that it is smaller than this.
        most = told.prompt or int(estimate)
        window = Window(min(most, window.tokens or most), "learned")
    return replace(asked, window=window, scale=scale, retried=True)


@dataclass(slots=True)
class _Fitting:
    asked: Asked
    history: History
    scale: float = 1.0
    exact: bool = False
    summary: SummaryState = ""
    original: float = 0.0
    told: str = ""
    told_until: int = 0
    room: Room = field(init=False)
    texts: BodyTexts = field(init=False)
    base: Measured = field(init=False)

    def __post_init__(self) -> None:
        asked = self.asked
        self.scale = asked.scale
        self.room = room_of(asked.window.tokens, self.history.max_output, asked.settings)
        self.texts = BodyTexts(self.history.api, asked.body)
        self.base = asked.measure(self.history)

    def steps(self) -> Generator[Need, Answer, Fitted | Unfit]:
        """The whole of it."""
        standing, standing_body = self._stand()
        asked = self.asked
        tokens = standing.tokens
        if self._near(tokens):
            tokens = yield from self._count(standing_body, tokens)
        # What is counted later is of other text, and says nothing of the client's own.
        self.original = self._whole()
        for round_ in range(_ROUNDS):
            settings = _harder(asked.settings, round_)
            result = self._compact(settings)
            if isinstance(result, Overflow):
                return self._unfit(replace(result, tokens=self.original), round_)
            if result.wants:
                told = yield from self._summary_of(result.wants)
                if told:
                    with_it = self._compact(settings, told)
                    result = result if isinstance(with_it, Overflow) else with_it
            body = standing_body
            if result.edits != standing.edits:
                body = apply(asked.path, asked.body, result.edits, self.history)
                tokens = yield from self._verify(body)
            if tokens <= self.room.prompt:
                return self._fitted(result, body, tokens, round_)
            self.scale *= max(1.0, tokens / max(1.0, result.tokens))
        return self._unfit(Overflow(self.original, self.room, tokens), _ROUNDS)

    def _stand(self) -> tuple[Compaction, bytes]:
        """What is sent without a step down, and its body."""
        asked = self.asked
        if asked.prior and self._outgrown(asked.prior):
            asked = self.asked = replace(asked, prior=None)
        units, front = self._measured(self.history)
        standing = stand(
            self.history, units, front, asked.settings, texts=self.texts, prior=asked.prior
        )
        try:
            return standing, apply(asked.path, asked.body, standing.edits, self.history)
        except ValueError:
            # Digests look through what means the same, such as a text as a list of one part; an
            # edit may name the part. Then the checkpoint is none for this body.
            if asked.prior is None:
                raise
        self.asked = replace(asked, prior=None)
        return self._stand()

    def _compact(self, settings: ContextSettings, summary: str = "") -> Compaction | Overflow:
        units, front = self._measured(self.history)
        return compact(
            self.history,
            units,
            front,
            self.room,
            settings,
            texts=self.texts,
            prior=self.asked.prior,
            summary=summary,
        )

    def _verify(self, body: bytes) -> Generator[Need, Answer, float]:
        history = read_history(self.asked.path, body)
        tokens = 0.0 if history is None else _total(self.asked, history, self.scale)
        # What is left is made of other text than what the scale was learned of, so who can count
        # is asked about every step, however far down it went.
        counted, self.exact = self.exact, False
        if counted or self._near(tokens):
            tokens = yield from self._count(body, tokens)
        return tokens

    def _count(self, body: bytes, estimate: float) -> Generator[Need, Answer, float]:
        """The tokens of ``body``; from then on the ruler is scaled by what was learned."""
        answer = yield NeedExact(body)
        self.exact = isinstance(answer, int) and answer > 0
        factor = answer / max(1.0, estimate) if isinstance(answer, int) and answer > 0 else _DOUBT
        self.scale *= factor
        return estimate * factor

    def _summary_of(self, span: Span) -> Generator[Need, Answer, str]:
        """The text for ``span``, which may be longer than the one that was asked for."""
        if not self.summary:
            self.told_until, self.told = span.end, (yield from self._summarise(span))
        return partly(self.told) if self.told and span.end > self.told_until else self.told

    def _summarise(self, span: Span) -> Generator[Need, Answer, str]:
        """The text for ``span``, empty when there is none. Asked for once."""
        self.summary = "failed"
        body = self._summary_body(span)
        if body is None:
            return ""
        api, timeout = self.history.api, self.asked.settings.summary_timeout
        answer = yield NeedSummary(api, body, timeout, span)
        text = read_summary(api, answer) if isinstance(answer, bytes) else None
        if text is None:
            return ""
        self.summary = "written"
        return text

    def _summary_body(self, span: Span) -> bytes | None:
        """What is known up to the end of ``span``, as it was sent before where that still fits."""
        asked, prior = self.asked, self.asked.prior
        last = self.history.units[-1].end
        head = apply(asked.path, asked.body, [Drop(span.end, last)] if span.end < last else [])
        history = read_history(asked.path, head)
        if history is None:
            return None
        if prior:
            prior = replace(prior, edits=_before(prior.edits, span.end))
        output = summary_tokens(self.room)
        room = Room(self.room.window, self.room.window - output - _INSTRUCTION, output)
        units, front = self._measured(history)
        settings = replace(asked.settings, policy="limit_only", truncation="sliding_window")
        texts = BodyTexts(history.api, head)
        fitted = compact(history, units, front, room, settings, texts=texts, prior=prior)
        if isinstance(fitted, Overflow):
            return None
        question = apply(asked.path, head, fitted.edits)
        return ask_for_summary(history.api, question, output, think=not asked.local)

    def _fitted(self, result: Compaction, body: bytes, tokens: float, round_: int) -> Fitted:
        asked = self.asked
        free = free_output(self.room, tokens * (1 if self.exact else _DOUBT), asked.settings)
        clamped = None
        if self.history.max_output is not None and self.history.max_output > free:
            clamped = free
            body = apply(asked.path, body, [LimitOutput(free)])
        kept = self._checkpoint(result)
        shown = kept or asked.prior
        report = replace(
            self._report(round_ + 1 if result.changed else 0),
            applied=bool(result.edits),
            sent=round(tokens),
            exact=self.exact,
            actions=result.actions,
            checkpoint=shown.digest[:12] if shown else "",
            hit=kept is None and asked.prior is not None,
            clamped=clamped,
        )
        return Fitted(body, report, kept)

    def _unfit(self, overflow: Overflow, rounds: int) -> Unfit:
        report = replace(self._report(rounds), exact=self.exact, sent=0)
        return Unfit(overflow, report)

    def _report(self, rounds: int) -> Report:
        asked = self.asked
        return Report(
            asked.settings.policy,
            asked.window,
            self.room,
            original=round(self.original),
            summary=self.summary,
            rounds=rounds,
        )

    def _checkpoint(self, result: Compaction) -> Checkpoint | None:
        length = reach(result.edits)
        if not result.changed or not 0 < length <= len(self.asked.chain):
            return None
        digest = self.asked.chain[length - 1]
        window = self.asked.window.tokens
        return Checkpoint(length, digest, result.edits, result.summary, window)

    def _outgrown(self, prior: Checkpoint) -> bool:
        """Whether the window has grown since, so that the whole of it fits."""
        if not 0 < prior.window < self.asked.window.tokens:
            return False
        return self._whole() <= begins_at(self.room, self.asked.settings)

    def _near(self, tokens: float) -> bool:
        # However far above: nothing is cut away because of an estimate where somebody can count.
        return tokens >= min(_NEAR * self.room.window, _CLOSE * self.room.prompt)

    def _whole(self) -> float:
        return (self.base.front + sum(self.base.units)) * self.scale

    def _measured(self, history: History) -> tuple[list[float], float]:
        measured = self.base if history is self.history else self.asked.measure(history)
        return [unit * self.scale for unit in measured.units], measured.front * self.scale


def _total(asked: Asked, history: History, scale: float) -> float:
    measured = asked.measure(history)
    return (measured.front + sum(measured.units)) * scale


def _harder(settings: ContextSettings, round_: int) -> ContextSettings:
    """Each further round aims lower and spares less of what is recent."""
    keep = max(1, settings.keep_recent >> round_)
    return replace(settings, target=settings.target * 0.8**round_, keep_recent=keep)


def _before(edits: Sequence[Edit], end: int) -> tuple[Edit, ...]:
    """Those of ``edits`` that touch nothing from item ``end`` on."""

    def touches(edit: Edit) -> int:
        if isinstance(edit, Drop):
            return edit.end
        if isinstance(edit, Note):
            return edit.before + 1
        return 0 if isinstance(edit, LimitOutput) else edit.item + 1

    return tuple(edit for edit in edits if touches(edit) <= end)
