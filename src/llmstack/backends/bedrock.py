"""Models on Amazon Bedrock, through Converse: every family of models in one API.

The request becomes a conversation, the conversation the arguments of Converse; the
answer's events become the client's API (``dialects.translation``). This module joins them with
aiobotocore, keeps the limits of time, and knows how the upstream is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from llmstack.backends.bedrock_account import account_of, trouble_of
from llmstack.backends.bedrock_clients import clients_of
from llmstack.backends.bedrock_count import CountAnswer, counted, estimated
from llmstack.backends.bedrock_stream import ConverseStream
from llmstack.backends.protocol import Health, Offered
from llmstack.backends.translated import (
    COUNTS,
    TranslatedAnswer,
    conversation_of,
    failed,
)
from llmstack.dialects.translation.conversation import Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.converse_error import (
    bad_credentials,
    failed_error,
    no_account,
)
from llmstack.dialects.translation.converse_events import ConverseEvents, whole_events
from llmstack.dialects.translation.converse_undelivered import undelivered
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstack.backends.bedrock_account import Trouble
    from llmstack.backends.bedrock_clients import Lease
    from llmstack.backends.protocol import Answer, Ask, House, Upstream
    from llmstack.config.stack import Sampler
    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Failed

#: Seconds for which a look at the AWS configuration holds: people edit it while we run.
LOOK: Final = 5.0
#: Seconds for which an account that was refused counts as unusable.
REFUSED: Final = 30.0


def bedrock(upstream: Upstream, house: House) -> Bedrock:
    """The backend for ``upstream``. A ``llmstack.backends.protocol.Factory``."""
    return Bedrock(upstream, house)


class Bedrock:
    """One tier on Bedrock. It has no breaker: its health is ``ok``, ``unknown`` or ``unusable``."""

    def __init__(self, upstream: Upstream, house: House) -> None:
        self._name = upstream.name
        self._hosted = upstream.hosted
        self._defaults = _sampling(upstream.sampler)
        self._house = house
        self._account = account_of(upstream.hosted, house.environ)
        self._clients = clients_of(house)
        self._clients.join()
        self._closed = False
        self._looked: float | None = None
        self._trouble: Trouble | None = None
        self._health = Health()
        self._refused_at = 0.0

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Raises:
            BadRequest: Converse cannot take it.
            BackendFailed: Bedrock did not answer, or refused to.
        """
        conversation = conversation_of(ask)
        body = write_converse(conversation, ask.model, self._defaults)
        if ask.path in COUNTS:
            return await self._count(ask, body)
        wait = self._hosted.first_byte_timeout
        deadline = asyncio.get_running_loop().time() + wait if wait else None
        lease = await self._lease()
        try:
            if conversation.stream:
                answer = await self._stream(ask, conversation, body, lease, deadline)
            else:
                answer = await self._whole(ask, conversation, body, lease, deadline)
            await answer.begin()
        except BaseException:
            lease.release()
            raise
        if not answer.problem:
            self._health = Health("ok")
        return answer

    async def models(self) -> tuple[Offered, ...]:
        """The configured one: what else an account may use is not ours to offer."""
        return (Offered(self._hosted.model),)

    def health(self) -> Health:
        """How it is, without asking it."""
        if trouble := self._look():
            return Health("unusable", f"{trouble.why}. {trouble.fix}")
        if self._health.state == "unusable":
            left = self._refused_at + REFUSED - self._house.now()
            if left <= 0:
                return Health("unknown", self._health.why)
            return Health("unusable", self._health.why, left)
        return self._health

    async def close(self) -> None:
        """End every connection that no other tier uses. May be repeated."""
        if not self._closed:
            self._closed = True
            await self._clients.leave()

    async def _stream(
        self,
        ask: Ask,
        conversation: Conversation,
        body: dict[str, Any],
        lease: Lease,
        deadline: float | None,
    ) -> TranslatedAnswer:
        lost = undelivered(conversation, body)
        response = await self._called(lease, "converse_stream", body, deadline)
        frames = response["stream"]

        def release() -> None:
            frames.close()
            lease.release()

        events = ConverseStream(
            frames,
            ConverseEvents(conversation),
            deadline=deadline,
            idle=self._hosted.idle_timeout,
            told=lambda event: self._learn(event, lease),
        )
        return TranslatedAnswer(ask, conversation, events, release, lost)

    async def _whole(
        self,
        ask: Ask,
        conversation: Conversation,
        body: dict[str, Any],
        lease: Lease,
        deadline: float | None,
    ) -> TranslatedAnswer:
        response = await self._called(lease, "converse", body, deadline)
        events = whole_events(response, conversation)
        lost = undelivered(conversation, body)
        return TranslatedAnswer(ask, conversation, _at_once(events), lease.release, lost)

    async def _count(self, ask: Ask, body: dict[str, Any]) -> CountAnswer:
        """Its own count if it is there within the limits of time: an estimate beats an error."""
        wait = self._hosted.first_byte_timeout
        with suppress(Exception):
            async with asyncio.timeout(wait or None):
                lease = await self._lease()
                try:
                    return CountAnswer(await counted(lease.client, body), estimated=False)
                finally:
                    lease.release()
        return estimated(ask)

    async def _called(
        self, lease: Lease, operation: str, body: dict[str, Any], deadline: float | None
    ) -> Any:
        try:
            async with asyncio.timeout_at(deadline):
                return await getattr(lease.client, operation)(**body)
        except Exception as error:
            event = failed_error(error)
            if no_account(error):
                lease.retire()
                self._refuse(event.message)
                raise self._unusable(event.message) from error
            self._learn(event, lease)
            raise failed(event) from error

    async def _lease(self) -> Lease:
        if trouble := self._look():
            raise self._unusable(f"{trouble.why}.", trouble.fix)
        try:
            return await self._clients.lease(self._account)
        except Exception as error:
            event = failed_error(error)
            self._refuse(event.message)
            raise self._unusable(event.message) from error

    def _look(self) -> Trouble | None:
        now = self._house.now()
        if self._looked is None or now - self._looked >= LOOK:
            self._looked = now
            self._trouble = trouble_of(self._account, self._house.environ)
        return self._trouble

    def _learn(self, event: Failed, lease: Lease) -> None:
        if bad_credentials(event):
            lease.retire()
            self._refuse(event.message)
        elif event.status >= 429:
            self._health = Health("unknown", event.message)

    def _refuse(self, why: str) -> None:
        self._health = Health("unusable", why)
        self._refused_at = self._house.now()

    def _unusable(self, why: str, fix: str = "") -> BackendFailed:
        return BackendFailed(
            f"{self._name} cannot be reached on Bedrock",
            status=503,
            code="backend_unusable",
            elsewhere=True,
            why=why,
            fix=fix,
        )


async def _at_once(events: list[Event]) -> AsyncIterator[list[Event]]:
    yield events


def _sampling(sampler: Sampler) -> Sampling:
    return Sampling(
        temperature=sampler.temp,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        min_p=sampler.min_p,
    )
