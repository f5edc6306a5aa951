"""How many tokens a Messages request has, by Bedrock's own count or by an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.backends.whole_answer import WholeAnswer
from llmstack.dialects import read
from llmstack.dialects.translation.converse_family import family_of

if TYPE_CHECKING:
    from llmstack.backends.protocol import Ask, Headers

#: What of a Converse request is counted.
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")


async def counted(client: Any, body: dict[str, Any]) -> int:
    """Bedrock's count of the tokens of a Converse request.

    Raises:
        Exception: botocore's; AttributeError where it is older than the operation.
    """
    asked: str = body["modelId"]
    # Most regions count for the model and refuse its inference profile; some have the profile only.
    bare = "" if asked.startswith("arn:") else family_of(asked).model
    said = {"converse": {name: body[name] for name in _COUNTED if name in body}}
    if bare and bare != asked:
        try:
            answer = await client.count_tokens(modelId=bare, input=said)
            return int(answer["inputTokens"])
        except client.exceptions.ValidationException:
            pass
    answer = await client.count_tokens(modelId=asked, input=said)
    return int(answer["inputTokens"])


def count_answer(tokens: int) -> WholeAnswer:
    """The answer with Bedrock's own count."""
    return _answer(tokens, [])


def estimated(ask: Ask) -> WholeAnswer:
    """The answer that needs nobody."""
    return _answer(read(ask.path, ask.body).tokens, [(b"x-llmstack-estimated", b"true")])


def _answer(tokens: int, headers: Headers) -> WholeAnswer:
    body = msgspec.json.encode({"input_tokens": tokens})
    return WholeAnswer(200, [(b"content-type", b"application/json"), *headers], body)
