"""Sends conversations to Bedrock, through the client of the tier's account."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from llmstack.backends.bedrock_account import account_of
from llmstack.backends.bedrock_clients import clients_of
from llmstack.backends.bedrock_count import counted
from llmstack.backends.bedrock_stream import ConverseStream
from llmstack.backends.estimated import count_answer, estimated
from llmstack.backends.translated import TranslatedAnswer, failed
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

    from llmstack.backends.bedrock_clients import Lease
    from llmstack.backends.bedrock_standing import Standing
    from llmstack.backends.protocol import Ask, House, Upstream
    from llmstack.backends.whole_answer import WholeAnswer
    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Failed

#: The code of an error that the section or the AWS configuration is to blame for.
UNUSABLE: Final = "backend_unusable"
#: What models say that do not stream, or not with tools.
_NO_STREAM: Final = re.compile(r"in streaming mode|unsupported for streaming", re.IGNORECASE)


class BedrockCaller:
    """The way to a tier's model. ``standing`` is told of what becomes of calls."""

    def __init__(self, upstream: Upstream, house: House, standing: Standing) -> None:
        self._name = upstream.name
        self._hosted = upstream.hosted
        self._standing = standing
        self._account = account_of(upstream.hosted, house.environ)
        self._clients = clients_of(house)
        self._clients.join()
        self._closed = False
        self._unstreamed: set[tuple[str, bool]] = set()

    async def close(self) -> None:
        """End every connection that no other tier uses. May be repeated."""
        if not self._closed:
            self._closed = True
            await self._clients.leave()

    async def begun(
        self, ask: Ask, conversation: Conversation, body: dict[str, Any]
    ) -> TranslatedAnswer:
        """The answer to ``ask``, whose Converse ``body`` is written, once it has begun.

        Raises:
            BackendFailed: there is none.
        """
        wait = self._hosted.first_byte_timeout
        deadline = asyncio.get_running_loop().time() + wait if wait else None
        lease = await self._lease()
        try:
            answer = await self._asked(ask, conversation, body, lease, deadline)
            await answer.begin()
        except BaseException:
            lease.release()
            raise
        return answer

    async def _asked(
        self,
        ask: Ask,
        conversation: Conversation,
        body: dict[str, Any],
        lease: Lease,
        deadline: float | None,
    ) -> TranslatedAnswer:
        lost = undelivered(conversation, body)
        # Some models stream words only, some nothing: their clients get the whole as a stream.
        kind = (ask.model, "toolConfig" in body)
        response = None
        if conversation.stream and kind not in self._unstreamed:
            try:
                response = await self._called(lease, "converse_stream", body, deadline)
            except BackendFailed as failure:
                if failure.status != 400 or not _NO_STREAM.search(failure.what):
                    raise
                self._unstreamed.add(kind)
        if response is None:
            response = await self._called(lease, "converse", body, deadline)
            whole = _at_once(whole_events(response, conversation))
            return TranslatedAnswer(ask, conversation, whole, lease.release, lost)
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

    async def count(self, ask: Ask, body: dict[str, Any]) -> WholeAnswer:
        """Its own count if it is there within the limits of time: an estimate beats an error."""
        wait = self._hosted.first_byte_timeout
        with suppress(Exception):
            async with asyncio.timeout(wait or None):
                lease = await self._lease()
                try:
                    return count_answer(await counted(lease.client, body))
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
                self._standing.refused(event.message)
                raise self._unusable(event.message) from error
            self._learn(event, lease)
            failure = failed(event)
            # The keys are the house's: the request may well be answered with those of another tier.
            failure.elsewhere |= bad_credentials(event)
            raise failure from error

    async def _lease(self) -> Lease:
        if trouble := self._standing.trouble():
            raise self._unusable(trouble)
        try:
            return await self._clients.lease(self._account)
        except Exception as error:
            event = failed_error(error)
            self._standing.refused(event.message)
            raise self._unusable(event.message) from error

    def _learn(self, event: Failed, lease: Lease) -> None:
        if bad_credentials(event):
            lease.retire()
            self._standing.refused(event.message)
        elif event.status >= 429:
            self._standing.failed(event.message)

    def _unusable(self, why: str) -> BackendFailed:
        return BackendFailed(
            f"{self._name} cannot be reached on Bedrock",
            status=503,
            code=UNUSABLE,
            elsewhere=True,
            why=why,
        )


async def _at_once(events: list[Event]) -> AsyncIterator[list[Event]]:
    yield events
