"""Fits requests into the windows of the models that answer them.

The rules are ``llmstack.context``'s; here is who counts, who summarises and what is remembered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from llmstack.context.body import read_history
from llmstack.context.checkpoints import digests, digests_of
from llmstack.context.fit import again, drive, fitting
from llmstack.context.hygiene import clean
from llmstack.context.needs import Asked, Fitted, NeedExact, Unfit
from llmstack.context.overflow import read_overflow
from llmstack.context.prefix import chain
from llmstack.context.room import begins_at, room_of
from llmstack.context.settings import Window
from llmstack.context.strict import context_overflow
from llmstack.dialects.read import dialect_of
from llmstack.errors import BadRequest
from llmstack.server.context_headers import asks_for_bodies
from llmstack.server.prefixes import Prefixes
from llmstack.server.stop import LOCAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmstack.backends.protocol import Waiting
    from llmstack.backends.upstreams import Upstreams
    from llmstack.context.checkpoints import Checkpoints
    from llmstack.context.history import History
    from llmstack.context.needs import Answer, Measured, Need
    from llmstack.context.report import Report
    from llmstack.context.settings import ContextSettings
    from llmstack.dialects.translation.reply import Usage
    from llmstack.engine import Engine
    from llmstack.server.asgi import Headers
    from llmstack.server.calibrating import Calibrating
    from llmstack.server.counting import Counting
    from llmstack.server.snapshots import Snapshots
    from llmstack.server.stop import Stop
    from llmstack.server.summaries import Summaries
    from llmstack.server.windows import Windows

#: APIs whose requests have a history.
_APIS: Final = ("chat", "messages", "responses")
#: The end of a path where a client asks how long its request is: only as it is, it is that long.
_COUNT: Final = "/count_tokens"
#: Answers that teach the ruler: the first of each model, then one in so many. Requests that are
#: far from their window are not measured, so one in a few more is enough of theirs.
FIRST, EVERY, SELDOM = 16, 16, 128
#: Of a model whose requests are left alone.
NO_WINDOW: Final = Window(0)
#: Bytes of a body from which on the work on it would be felt by other requests.
LARGE: Final = 256 * 1024


class Fit(msgspec.Struct, frozen=True):
    """One request as it is sent: ``stop`` has its body.

    ``asked`` is what was fitted, None where nothing had to be. ``done`` names what was made steady
    at the front of the prompt. ``links`` is the chain of the body, where it is known.
    """

    stop: Stop
    settings: ContextSettings
    window: Window
    asked: Asked | None = None
    report: Report | None = None
    done: tuple[str, ...] = ()
    links: tuple[bytes, ...] = ()

    def headers(self) -> Headers:
        """What the answer tells of it."""
        applied = self.report is not None and self.report.applied
        headers: Headers = [
            (b"x-llamaswap-prompt-optimization-policy", self.settings.policy.encode()),
            (b"x-llamaswap-prompt-optimized", b"true" if applied else b"false"),
        ]
        if self.report is not None:
            headers.append((b"x-llmstack-context", told(self.report).encode()))
        return headers


def told(report: Report) -> str:
    """``report`` on one line: ``limit_only; 5310 -> 3020 of 4096 tokens; dropped 4``."""
    parts: list[str] = [report.policy]
    about = "" if report.exact else "about "
    if not report.sent:
        parts.append(f"{report.original} tokens do not fit into {report.window.tokens}")
    elif report.applied:
        parts.append(f"{report.original} -> {about}{report.sent} of {report.window.tokens} tokens")
    else:
        parts.append(f"{about}{report.sent} of {report.window.tokens} tokens")
    parts += [f"{action.rung} {action.count}" for action in report.actions]
    if report.summary:
        parts.append(f"summary {report.summary}")
    if report.clamped is not None:
        parts.append(f"output limited to {report.clamped}")
    return "; ".join(parts)


class Fitter:
    """For one engine and what others host. For one event loop.

    ``settings_for`` gives a model's settings for a request with these headers. ``snapshots`` gets
    the report of every request that was looked at, with the body before and after.
    """

    def __init__(
        self,
        engine: Engine,
        upstreams: Upstreams | None,
        windows: Windows,
        counting: Counting,
        summaries: Summaries,
        calibrating: Calibrating,
        checkpoints: Checkpoints,
        settings_for: Callable[[str, Headers], ContextSettings],
        snapshots: Snapshots,
    ) -> None:
        self._engine = engine
        #: What others host; a reload brings another one.
        self.upstreams = upstreams
        self._windows = windows
        self._counting = counting
        self._summaries = summaries
        self._calibrating = calibrating
        self._checkpoints = checkpoints
        self._settings_for = settings_for
        self._snapshots = snapshots
        self._seen: dict[str, int] = {}
        self._prefixes = Prefixes()

    async def fit(self, stop: Stop, wait: Waiting) -> Fit | None:
        """The request of ``stop`` as its model can take it; None for one without a history.

        A model that runs here is loaded before anything is decided that only it can tell; ``wait``
        hears of that. Where nobody can count, an estimate that nothing has proved yet neither
        refuses nor shortens anything: the server will say what is too long.

        Raises:
            ContextOverflow: it does not fit, and may not or cannot be made to.
            RequestError: the model cannot be loaded.
        """
        path = stop.path
        if not stop.fitted or dialect_of(path) not in _APIS or path.endswith(_COUNT):
            return None
        settings = self._settings_for(stop.known_as, stop.scope["headers"])
        done: tuple[str, ...] = ()
        # Others mind their own caches, and off leaves all of a request as it is.
        if settings.hygiene and settings.policy != "off" and stop.kind == LOCAL:
            body, done = clean(path, stop.body)
            if done:
                stop = replace(stop, body=body)
        window = NO_WINDOW if settings.policy == "off" else await self._window(stop)
        fit = Fit(stop, settings, window, done=done)
        if not window.tokens or self._surely_fits(fit):
            return fit
        links = chain(path, stop.body)
        found = digests_of(links)
        prior = self._checkpoints.find(stop.known_as, found)
        measure = self._measure(stop.known_as)
        local = stop.kind == LOCAL
        asked = Asked(path, stop.body, window, settings, measure, found, prior, local=local)
        return await self._fit(replace(fit, links=links), asked, wait)

    async def again(self, fit: Fit, status: int, said: bytes, wait: Waiting) -> Fit | None:
        """The request once more, shorter, after its upstream found it too long.

        None if it said something else, or there is nothing more to do.
        """
        learned = read_overflow(status, said)
        if learned is None:
            return None
        stop = fit.stop
        if learned.window:
            model = self._engine.config.models.get(stop.model) if stop.kind == LOCAL else None
            self._windows.learn(stop.known_as, learned.window, model)
        if learned.prompt and (history := read_history(stop.path, stop.body)) is not None:
            self._calibrating.learn_exactly(stop.known_as, history, learned.prompt)
        asked = fit.asked
        if asked is None:
            found = digests(stop.path, stop.body)
            measure = self._measure(stop.known_as)
            local, window = stop.kind == LOCAL, fit.window
            asked = Asked(
                stop.path, stop.body, window, fit.settings, measure, chain=found, local=local
            )
        once_more = again(asked, stop.body, learned)
        return await self._fit(fit, once_more, wait) if once_more else None

    def ended(self, fit: Fit, usage: Usage) -> dict[str, str]:
        """Learn from what an answer used; what its record is to say of the prompt."""
        self._learn(fit, usage)
        about = {}
        if fit.report is not None and (fit.report.applied or fit.report.clamped is not None):
            about["context"] = told(fit.report)
        if fit.done:
            about["steadied"] = ", ".join(fit.done)
        stop = fit.stop
        session = stop.scope.get("llmstack.session", b"")
        if differs := self._prefixes.note(
            stop.known_as, session, stop.path, stop.body, usage, fit.links
        ):
            about["prefix_differs_at"] = differs
        return about

    def _learn(self, fit: Fit, usage: Usage) -> None:
        name, path = fit.stop.known_as, fit.stop.path
        seen = self._seen[name] = self._seen.get(name, -1) + 1
        if not usage.input or (seen >= FIRST and seen % (EVERY if fit.asked else SELDOM)):
            return
        try:
            history = read_history(path, fit.stop.body)
        except BadRequest:  # the upstream read it all the same: its answer and its price count
            return
        if history is not None:
            self._calibrating.learn(name, history, usage)

    async def _fit(self, fit: Fit, asked: Asked, wait: Waiting) -> Fit:
        stop = fit.stop

        async def meet(need: Need) -> Answer:
            if isinstance(need, NeedExact):
                return await self._count(stop, need.body, wait)
            return await self._summaries.write(stop, need)

        outcome = await (_aside(asked, meet) if len(asked.body) > LARGE else drive(asked, meet))
        if not (outcome.report.exact or asked.retried or self._is_proved(stop)):
            return fit
        if not isinstance(outcome, Fitted):
            self._keep(stop, outcome.report, asked.body)
            stop.scope["llmstack.fitted"] = outcome.report
            raise context_overflow(outcome.overflow)
        if outcome.report.room is None:  # one text has no history, and nothing was looked at
            return fit
        if outcome.checkpoint:
            self._checkpoints.add(stop.known_as, outcome.checkpoint)
        self._keep(stop, outcome.report, asked.body, outcome.body)
        links = fit.links if outcome.body == asked.body else ()
        stop = replace(stop, body=outcome.body)
        return replace(
            fit, stop=stop, links=links, asked=asked, window=asked.window, report=outcome.report
        )

    def _keep(self, stop: Stop, report: Report, original: bytes, sent: bytes = b"") -> None:
        asked = asks_for_bodies(stop.scope["headers"])
        numbers = {**msgspec.to_builtins(report), "note": told(report)}
        self._snapshots.keep(stop.known_as, numbers, original, sent, asked=asked)

    def _surely_fits(self, fit: Fit) -> bool:
        """Whether no tokenizer can make too many tokens of the body: each takes a byte at least."""
        if fit.settings.policy == "always":  # repetition goes, however short
            return False
        body = fit.stop.body
        room = room_of(fit.window.tokens, None, fit.settings)
        return len(body) < begins_at(room, fit.settings) and b'"image' not in body

    async def _window(self, stop: Stop) -> Window:
        if stop.kind == LOCAL:
            model = self._engine.config.models.get(stop.model)
            window = await self._windows.local(model) if model else None
            if window is not None and (window.tokens or not stop.tier):
                return window
        upstreams = self.upstreams
        tier = upstreams.tiers.get(stop.tier) if upstreams else None
        if tier is not None:
            return self._windows.hosted(tier.name, configured=tier.ctx_size)
        offered = upstreams.context_of(stop.name) if upstreams else 0
        return self._windows.hosted(stop.name, offered=offered)

    def _is_proved(self, stop: Stop) -> bool:
        """Whether the ruler has been held against an answer of this model."""
        return self._calibrating.of(stop.known_as).seen > 0

    async def _count(self, stop: Stop, body: bytes, wait: Waiting) -> int | None:
        if stop.kind != LOCAL:
            return await self._counting.hosted(
                stop.known_as, stop.kind, stop.backend, stop.model, stop.path, body
            )
        engine = self._engine
        model = engine.config.models.get(stop.model)
        if model is None:
            return None
        lease = engine.try_lease(model)
        if lease is None:
            lease = await wait.wait(engine.lease(model), lambda: engine.queue_position(model))
        with lease:
            wait.leased(lease.waited)
            return await self._counting.local(model, stop.path, body, stop.scope["headers"])

    def _measure(self, name: str) -> Callable[[History], Measured]:
        return lambda history: self._calibrating.estimate(name, history)


async def _aside(asked: Asked, meet: Callable[[Need], Awaitable[Answer]]) -> Fitted | Unfit:
    """``drive``, with the steps in a thread."""
    steps = fitting(asked)

    def step(answer: Answer) -> tuple[Need | None, Fitted | Unfit | None]:
        try:
            return steps.send(answer), None
        except StopIteration as end:
            return None, end.value

    answer: Answer = None
    while True:
        need, outcome = await asyncio.to_thread(step, answer)
        if outcome is not None:
            return outcome
        assert need is not None
        answer = await meet(need)
