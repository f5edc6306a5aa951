"""How many tokens a request has, by Bedrock's own count or by an estimate."""

from __future__ import annotations

from typing import Any

from llmstack.dialects.translation.converse_family import family_of

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
