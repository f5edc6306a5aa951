"""One chat turn, streamed, with what it cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmstack.client.http import EventStream

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished answer. Times are seconds, speeds tokens per second (0 when unknown).

    ``model``, ``reason`` and ``tokens`` come from the gateway's headers.
    """

    text: str
    model: str
    reason: str
    tokens: str
    first_token: float
    took: float
    prompt_tokens: int
    answer_tokens: int
    speed: float


def chat(
    base: str,
    messages: list[dict[str, Any]],
    *,
    model: str = "auto",
    key: str = "",
    on_model: Callable[[str, str], None] | None = None,
    on_text: Callable[[str], None] | None = None,
    **parameters: Any,
) -> Turn:
    """Ask ``model`` at the gateway ``base`` and stream the answer.

    ``on_model`` is called with the tier and the reason as soon as they are known, ``on_text`` with
    every piece of text. ``key`` is an API key to show. ``parameters`` go into the request body.

    Raises:
        DaemonError: the gateway does not answer, refuses, or the answer breaks off.
    """
    begun = time.monotonic()
    body = {"model": model, "messages": messages, "stream": True, **parameters}
    stream = EventStream(base, "/v1/chat/completions", body, key=key)
    chosen, reason = stream.header("x-llmstack-model"), stream.header("x-llmstack-reason")
    if on_model:
        on_model(chosen, reason)
    pieces: list[str] = []
    first = 0.0
    timings: dict[str, Any] = {}
    for event in stream:
        timings = _object(event.get("timings")) or timings
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            piece = _object(_object(choice).get("delta")).get("content")
            if piece and isinstance(piece, str):
                first = first or time.monotonic() - begun
                pieces.append(piece)
                if on_text:
                    on_text(piece)
    return Turn(
        text="".join(pieces),
        model=chosen,
        reason=reason,
        tokens=stream.header("x-llmstack-tokens"),
        first_token=first,
        took=time.monotonic() - begun,
        prompt_tokens=int(_number(timings, "prompt_n") + _number(timings, "cache_n")),
        answer_tokens=int(_number(timings, "predicted_n")),
        speed=_number(timings, "predicted_per_second"),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(timings: dict[str, Any], name: str) -> float:
    value = timings.get(name)
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e15 else 0.0
