"""Models that run here: the engine gets their process ready, and the process answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.backends.limits import limits_of
from llmstack.backends.protocol import Health, Offered
from llmstack.backends.second_chance import has_died, may_repeat
from llmstack.errors import UpstreamUnreachable
from llmstack.http1 import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.backends.protocol import Answer, Ask
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine, Lease
    from llmstack.http1 import Pool


class LocalBackend:
    """The engine's models; ``Ask.model`` is an id of its present configuration."""

    def __init__(self, engine: Engine, pool: Pool) -> None:
        self._engine = engine
        self._pool = pool

    async def open(self, ask: Ask) -> Answer:
        """Wait for the model, send the request, and wait for the head of its answer.

        ``Ask.waiting`` is told of the wait. The model stays leased until the answer is closed. A
        request that never left, because the process had just died, gets the process after it.

        Raises:
            RequestError: the model cannot be had, or did not answer.
        """
        model = self._engine.config.models[ask.model]
        try:
            return await self._ask(ask, model)
        except UpstreamUnreachable as error:
            if not (may_repeat(error) and await has_died(self._engine, model.id)):
                raise
        return await self._ask(ask, model)

    async def _ask(self, ask: Ask, model: SwapModel) -> Answer:
        engine, waiting = self._engine, ask.waiting
        lease = engine.try_lease(model)
        if lease is None:
            wanted = engine.lease(model)
            if waiting is None:
                lease = await wanted
            else:
                lease = await waiting.wait(wanted, lambda: engine.queue_position(model))
        if waiting is not None:
            waiting.leased(lease.waited)
        try:
            response = await self._pool.request(
                ask.method,
                lease.base_url,
                ask.target,
                ask.headers,
                ask.body,
                limits_of(model.timeouts),
            )
        except Unreachable as error:
            lease.release()
            raise unreachable(lease.base_url, error) from error
        except BaseException:
            lease.release()
            raise
        response.on_close = _both(response.on_close, lease)
        return response

    async def models(self) -> tuple[Offered, ...]:
        """The models of the configuration."""
        states = {status.id: status.state for status in self._engine.status()}
        return tuple(
            Offered(
                model.id,
                context=model.capabilities.context if model.capabilities else 0,
                loaded=str(states.get(model.id)) == "ready",
                description=model.description,
            )
            for model in self._engine.config.models.values()
        )

    def health(self) -> Health:
        """It is where we are."""
        return Health("ok")

    async def close(self) -> None:
        """Nothing: processes are the engine's, connections the pool's."""


def _both(close: Callable[[], None] | None, lease: Lease) -> Callable[[], None]:
    def done() -> None:
        if close:
            close()
        lease.release()

    return done


def unreachable(base: str, error: Exception) -> UpstreamUnreachable:
    """The error for a model process at ``base`` that did not answer."""
    return UpstreamUnreachable(
        f"the model process at {base} did not answer",
        why=str(error),
        fix="Its log says more: llmstack logs MODEL.",
    )
