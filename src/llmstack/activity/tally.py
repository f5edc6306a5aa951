"""What an answer says about tokens, put together from its parts (pure).

The rules are llama-swap's (behaviour report, section 5.4).
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.reply import Usage as Charged

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A number that the answer does not give.
UNKNOWN = -1
#: Beyond this a count is nonsense, and SQLite could not hold it.
_MOST = 1 << 53


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens and speeds of one answer.

    Without any usage in the answer all numbers are 0. With some, ``cache_tokens``, the draft
    counts and the speeds (tokens per second) are -1 where unknown. ``input_tokens`` is the whole
    prompt, but for llama-server's ``timings`` only what was processed, cached tokens left out.
    ``apart_tokens`` are the prompt tokens that ``input_tokens`` leaves out: those read from a cache
    and written to it in Anthropic's answers, the cached ones with ``timings``.
    ``cache_write_tokens`` and ``reasoning_tokens`` (part of the output) are 0 where unknown.
    ``model_ms`` is the time that the model reports for its own work. ``problem`` says why an answer
    could not be read.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_tokens: int = 0
    draft_tokens: int = 0
    draft_acc_tokens: int = 0
    prompt_per_second: float = 0.0
    tokens_per_second: float = 0.0
    model_ms: float = 0.0
    found: bool = False
    problem: str = ""
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    apart_tokens: int = 0

    def duration_ms(self, wall_ms: float) -> int:
        """How long the request took: the wall time, or the model's own if that is longer."""
        return round(max(wall_ms, self.model_ms))

    def charged(self) -> Charged:
        """The tokens that have a price, in one way for all APIs."""
        return Charged(
            input=self.input_tokens + self.apart_tokens,
            output=self.output_tokens,
            cached=max(self.cache_tokens, 0),
            cache_written=self.cache_write_tokens,
            reasoning=self.reasoning_tokens,
        )

    def known(self, tokens: Charged) -> Usage:
        """This with the numbers of a backend that knows better; speeds and times stay."""
        return msgspec.structs.replace(
            self if self.found else _NO_SPEEDS,
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_tokens=tokens.cached,
            reasoning_tokens=tokens.reasoning,
            cache_write_tokens=tokens.cache_written,
            apart_tokens=0,
            model_ms=self.model_ms,
            problem=self.problem,
        )


#: Of an answer that says nothing of tokens.
NOTHING = Usage()
_NO_SPEEDS = Usage(
    draft_tokens=UNKNOWN,
    draft_acc_tokens=UNKNOWN,
    prompt_per_second=float(UNKNOWN),
    tokens_per_second=float(UNKNOWN),
    found=True,
)


class Tally:
    """Collects ``usage``, ``timings`` and ``metrics`` objects in the order in which they come."""

    __slots__ = (
        "_cached",
        "_found",
        "_input",
        "_metrics",
        "_output",
        "_reasoning",
        "_timings",
        "_whole",
        "_written",
    )

    def __init__(self) -> None:
        self._found = False
        self._input = 0
        self._output = 0
        self._cached = UNKNOWN
        self._written = self._reasoning = 0
        #: Whether the prompt's tokens are all of them, as OpenAI counts.
        self._whole = False
        self._timings: Mapping[str, Any] | None = None
        self._metrics: Mapping[str, Any] | None = None

    def usage(self, usage: object) -> bool:
        """Take one ``usage``; non-zero counts overwrite earlier ones. Whether it was an object."""
        if not isinstance(usage, dict):
            return False
        self._found = True
        self._input = _first(usage, "prompt_tokens", "input_tokens") or self._input
        self._output = _first(usage, "completion_tokens", "output_tokens") or self._output
        prompt = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
        cached = _cached(usage, prompt)
        if cached > 0 or self._cached == UNKNOWN:
            self._cached = cached
        if "prompt_tokens" in usage or "input_tokens_details" in usage:
            self._whole = True
        if "cache_creation_input_tokens" in usage or "cache_creation" in usage:
            self._written = _written(usage) or self._written
        elif prompt:
            self._written = _detail(prompt, "cache_write_tokens") or self._written
        output = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
        if output:
            self._reasoning = _detail(output, "reasoning_tokens") or self._reasoning
        return True

    def timings(self, timings: object) -> None:
        """Take llama-server's ``timings``; the last ones count."""
        if isinstance(timings, dict):
            self._timings = timings

    def metrics(self, metrics: object) -> None:
        """Take vLLM's ``metrics``; the last ones count."""
        if isinstance(metrics, dict):
            self._metrics = metrics

    def result(self, problem: str = "") -> Usage:
        """What has been found so far."""
        if self._timings:
            return self._from_timings(self._timings, problem)
        if not (self._found or self._metrics):
            return Usage(problem=problem) if problem else NOTHING
        drafted = accepted = UNKNOWN
        prompt_speed = speed = float(UNKNOWN)
        if self._metrics:
            first = _number(self._metrics.get("time_to_first_token_ms"))
            if first > 0 and self._found:
                prompt_speed = (self._input - max(self._cached, 0)) * 1000 / first
            gap = _number(self._metrics.get("mean_itl_ms"))
            if gap > 0:
                speed = 1000 / gap
            speculative = self._metrics.get("speculative_decoding")
            if isinstance(speculative, dict):
                drafted, accepted = _drafts(
                    speculative, "num_draft_tokens", "num_accepted_draft_tokens"
                )
        return Usage(
            input_tokens=self._input,
            output_tokens=self._output,
            cache_tokens=self._cached,
            draft_tokens=drafted,
            draft_acc_tokens=accepted,
            prompt_per_second=prompt_speed,
            tokens_per_second=speed,
            found=True,
            problem=problem,
            reasoning_tokens=self._reasoning,
            cache_write_tokens=self._written,
            apart_tokens=0 if self._whole else max(self._cached, 0) + self._written,
        )

    def _from_timings(self, timings: Mapping[str, Any], problem: str) -> Usage:
        drafted, accepted = _drafts(timings, "draft_n", "draft_n_accepted")
        prompt_ms = max(_number(timings.get("prompt_ms")), 0)
        predicted_ms = max(_number(timings.get("predicted_ms")), 0)
        cached = _count(timings["cache_n"]) if "cache_n" in timings else self._cached
        return Usage(
            input_tokens=_count(timings.get("prompt_n")),
            output_tokens=_count(timings.get("predicted_n")),
            cache_tokens=cached,
            draft_tokens=drafted,
            draft_acc_tokens=accepted,
            prompt_per_second=_number(timings.get("prompt_per_second")),
            tokens_per_second=_number(timings.get("predicted_per_second")),
            model_ms=prompt_ms + predicted_ms,
            found=True,
            problem=problem,
            reasoning_tokens=self._reasoning,
            cache_write_tokens=self._written,
            apart_tokens=max(cached, 0),
        )


def _first(usage: Mapping[str, Any], *names: str) -> int:
    for name in names:
        if name in usage:
            return _count(usage[name])
    return 0


def _cached(usage: Mapping[str, Any], prompt: object) -> int:
    if usage.get("cache_read_input_tokens") is not None:
        return _count(usage["cache_read_input_tokens"])
    if isinstance(prompt, dict) and prompt.get("cached_tokens") is not None:
        return _count(prompt["cached_tokens"])
    if usage.get("prompt_cache_hit_tokens") is not None:  # DeepSeek's
        return _count(usage["prompt_cache_hit_tokens"])
    return UNKNOWN


def _written(usage: Mapping[str, Any]) -> int:
    """What Anthropic says was written to a cache: the sum, or that of all lifetimes."""
    if usage.get("cache_creation_input_tokens") is not None:
        return _count(usage["cache_creation_input_tokens"])
    lifetimes = usage.get("cache_creation")
    if isinstance(lifetimes, dict):
        return sum(_count(tokens) for tokens in lifetimes.values())
    return 0


def _detail(details: object, name: str) -> int:
    return _count(details.get(name)) if isinstance(details, dict) else 0


def _drafts(values: Mapping[str, Any], drafted: str, accepted: str) -> tuple[int, int]:
    if drafted in values and accepted in values:
        return _count(values[drafted]), _count(values[accepted])
    return UNKNOWN, UNKNOWN


def _count(value: object) -> int:
    if type(value) is int:  # as a rule
        return value if 0 < value < _MOST else 0
    number = _number(value)
    return int(number) if number > 0 else 0


def _number(value: object) -> float:
    """``value`` as a number; -1 for what is none, is negative or is beyond all reason."""
    if type(value) is float and 0 <= value < _MOST:  # as a rule
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return float(UNKNOWN)
        if isfinite(number) and 0 <= number < _MOST:
            return number
    return float(UNKNOWN)
