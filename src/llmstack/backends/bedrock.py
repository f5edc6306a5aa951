"""Models on Amazon Bedrock, through Converse: every family of models in one API.

The request becomes a conversation, the conversation the arguments of Converse; the answer's events
become the client's API (``dialects.translation``). ``bedrock_caller`` joins them with aiobotocore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.backends.bedrock_caller import UNUSABLE, BedrockCaller
from llmstack.backends.bedrock_standing import Standing
from llmstack.backends.protocol import Offered
from llmstack.backends.translated import COUNTS, conversation_of
from llmstack.dialects.translation.conversation import Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer, Ask, Health, House, Upstream
    from llmstack.config.stack import Sampler


def bedrock(upstream: Upstream, house: House) -> Bedrock:
    """The backend for ``upstream``. A ``llmstack.backends.protocol.Factory``."""
    return Bedrock(upstream, house)


class Bedrock:
    """One tier on Bedrock."""

    def __init__(self, upstream: Upstream, house: House) -> None:
        self._model = upstream.hosted.model
        self._defaults = _sampling(upstream.sampler)
        self._standing = Standing(upstream, house)
        self._caller = BedrockCaller(upstream, house, self._standing)

    async def open(self, ask: Ask) -> Answer:
        """Send a request and wait for the beginning of its answer.

        Raises:
            BadRequest: Converse cannot take it.
            BackendFailed: Bedrock did not answer, or refused to.
        """
        conversation = conversation_of(ask)
        body = write_converse(conversation, ask.model, self._defaults)
        if ask.path in COUNTS:
            return await self._caller.count(ask, body)
        entry = self._standing.enter()
        try:
            answer = await self._caller.begun(ask, conversation, body)
        except BackendFailed as failure:
            # An answer too, unless it speaks against the upstream. Ours to mend is neither.
            if failure.code != UNUSABLE:
                (entry.failed if failure.status >= 500 else entry.succeeded)()
            raise
        else:
            entry.succeeded()
        finally:
            entry.left()  # says nothing if something has been said
        if not answer.problem:
            self._standing.answered()
        return answer

    async def models(self) -> tuple[Offered, ...]:
        """The configured one: what else an account may use is not ours to offer."""
        return (Offered(self._model),)

    def health(self) -> Health:
        """How it is, without asking it."""
        return self._standing.health()

    async def close(self) -> None:
        """End every connection that no other tier uses. May be repeated."""
        await self._caller.close()


def _sampling(sampler: Sampler) -> Sampling:
    return Sampling(
        temperature=sampler.temp,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        min_p=sampler.min_p,
    )
