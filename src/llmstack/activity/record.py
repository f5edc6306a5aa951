"""One finished request, as the activity log keeps it and as ``/api/metrics/activity`` shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity.tally import NOTHING, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What llmstack knows beyond llama-swap's row; shown as texts in ``metadata``.
EXTRAS = (
    "ttft_ms",
    "queue_ms",
    "load_ms",
    "client",
    "tier",
    "reason",
    "backend",
    "instead_of",
)


NO_METADATA: Mapping[str, str] = MappingProxyType({})


# Structs of msgspec are made in a fifth of the time that a frozen dataclass takes; one is made for
# every request.
class ActivityRow(msgspec.Struct, frozen=True, gc=False):
    """A request that has ended, however it did.

    ``id`` is 0 until a store has taken the row. ``timestamp`` is the end in whole seconds since
    the epoch. ``duration_ms`` counts from the request's arrival, so it includes waiting and
    loading. ``ttft_ms`` (to the answer's first bytes), ``queue_ms`` and ``load_ms`` are None where
    they do not apply. ``client`` is the name of the key that was used, ``tier`` and ``reason`` are
    routing's. ``backend`` says what answered (``local``, ``bedrock``, ``openai``, ``ollama``,
    ``peer``), ``instead_of`` which tier was asked first. ``cost_usd`` is None where no price is
    known. ``reread_tokens`` are prompt tokens that were read again (``activity.reprefill``).
    """

    model: str
    req_path: str
    resp_status_code: int
    timestamp: int
    resp_content_type: str = ""
    usage: Usage = NOTHING
    duration_ms: int = 0
    error_msg: str = ""
    metadata: Mapping[str, str] = NO_METADATA
    ttft_ms: int | None = None
    queue_ms: int | None = None
    load_ms: int | None = None
    client: str = ""
    tier: str = ""
    reason: str = ""
    backend: str = ""
    instead_of: str = ""
    cost_usd: float | None = None
    id: int = 0
    reread_tokens: int = 0

    def to_json(self, *, has_capture: bool = False) -> dict[str, Any]:
        """The row in the shape of llama-swap's API (behaviour report, section 5.3)."""
        usage = self.usage
        row: dict[str, Any] = {
            "id": self.id,
            "timestamp": rfc3339(self.timestamp),
            "model": self.model,
            "req_path": self.req_path,
            "resp_content_type": self.resp_content_type,
            "resp_status_code": self.resp_status_code,
            "tokens": {
                "cache_tokens": usage.cache_tokens,
                "draft_tokens": usage.draft_tokens,
                "draft_acc_tokens": usage.draft_acc_tokens,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "prompt_per_second": usage.prompt_per_second,
                "tokens_per_second": usage.tokens_per_second,
            },
            "duration_ms": self.duration_ms,
            "has_capture": has_capture,
        }
        if self.error_msg:
            row["error_msg"] = self.error_msg
        metadata = dict(self.metadata)
        for name in EXTRAS:
            value = getattr(self, name)
            if value is not None and value != "":
                metadata.setdefault(name, str(value))
        if usage.reasoning_tokens:
            metadata.setdefault("reasoning_tokens", str(usage.reasoning_tokens))
        if usage.cache_write_tokens:
            metadata.setdefault("cache_write_tokens", str(usage.cache_write_tokens))
        if self.reread_tokens:
            metadata.setdefault("reread_tokens", str(self.reread_tokens))
        if self.cost_usd is not None:
            metadata.setdefault("cost_usd", usd(self.cost_usd))
        if metadata:
            row["metadata"] = metadata
        return row


def usd(amount: float) -> str:
    """Dollars to a billionth, without an exponent: ``0.00125``."""
    return f"{amount:.9f}".rstrip("0").rstrip(".")


def rfc3339(seconds: float) -> str:
    """A moment in UTC; fractions appear only when there are some."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat().removesuffix("+00:00") + "Z"
