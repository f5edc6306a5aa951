"""How many tokens a request has, by Bedrock's own count or by an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.backends.translated import COUNTS
from llmstack.dialects import read
from llmstack.dialects.translation.converse_family import family_of

if TYPE_CHECKING:
    from llmstack.backends.protocol import Ask, Headers
    from llmstack.dialects.translation.reply import Usage

#: What of a Converse request is counted.
_COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")


class CountAnswer:
    """The answer to ``/v1/messages/count_tokens`` and its like."""

    status = 200
    usage: Usage | None = None
    problem = ""

    def __init__(self, tokens: int, *, estimated: bool) -> None:
        self._ready = msgspec.json.encode({"input_tokens": tokens})
        self.headers: Headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self._ready)),
        ]
        if estimated:
            self.headers.append((b"x-llmstack-estimated", b"true"))

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has been read."""
        return not self._ready

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case ``name``), or None."""
        return next((value for key, value in self.headers if key == name), None)

    async def read(self) -> bytes:
        """The body, then nothing."""
        data, self._ready = self._ready, b""
        return data

    def close(self) -> None:
        """There is nothing to let go of."""


async def counted(client: Any, body: dict[str, Any]) -> int:
    """Bedrock's count of the tokens of a Converse request.

    Raises:
        Exception: botocore's; AttributeError where it is older than the operation.
    """
    model_id = body["modelId"]
    # Counting knows models only, not the inference profiles of a geography.
    model = model_id if model_id.startswith("arn:") else family_of(model_id).model or model_id
    said = {name: body[name] for name in _COUNTED if name in body}
    answer = await client.count_tokens(modelId=model, input={"converse": said})
    return int(answer["inputTokens"])


def estimated(ask: Ask) -> CountAnswer:
    """The answer that needs nobody."""
    return CountAnswer(read(COUNTS.get(ask.path, ask.path), ask.body).tokens, estimated=True)
