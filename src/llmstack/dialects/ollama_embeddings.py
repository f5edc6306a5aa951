"""Embeddings of OpenAI's API as Ollama's two routes answer them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.ollama_answer import UnreadableAnswer
from llmstack.dialects.ollama_piece import Counts

if TYPE_CHECKING:
    from llmstack.dialects.ollama_answer import Moment
    from llmstack.dialects.ollama_request import OllamaRequest


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: dict[str, Any] | None = None


def embeddings_from_openai(request: OllamaRequest, body: bytes, moment: Moment) -> dict[str, Any]:
    """The answer to ``request``, out of the model's.

    Vectors longer than the wanted dimensions are cut and brought back to length one.

    Raises:
        UnreadableAnswer: ``body`` has no vectors.
    """
    try:
        answer = msgspec.json.decode(body, type=_Vectors)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UnreadableAnswer("the model's answer has no embeddings") from None
    rows = sorted(answer.data, key=lambda row: row.index)
    vectors = [_cut(row.embedding, request.dimensions) for row in rows]
    if request.kind == "embeddings":
        return {"embedding": vectors[0] if vectors else []}
    counts = Counts()
    counts.take({"usage": answer.usage})
    return {
        "model": request.model,
        "embeddings": vectors,
        "total_duration": moment.elapsed,
        "load_duration": 0,
        "prompt_eval_count": counts.prompt,
    }


def nothing_embedded(request: OllamaRequest) -> dict[str, Any]:
    """The answer to a request without a text, which only loads the model."""
    if request.kind == "embeddings":
        return {"embedding": []}
    return {"model": request.model, "embeddings": []}


def _cut(vector: list[float], dimensions: int) -> list[float]:
    if not 0 < dimensions < len(vector):
        return vector
    vector = vector[:dimensions]
    length = max(math.hypot(*vector), 1e-12)
    return [value / length for value in vector]
