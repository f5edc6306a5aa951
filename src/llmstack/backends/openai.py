"""Any OpenAI-compatible server: OpenRouter, vLLM, TGI, LM Studio, a LiteLLM proxy, llmstack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.backends.http_backend import HttpBackend

if TYPE_CHECKING:
    from llmstack.backends.protocol import Backend, House, Upstream


def openai(upstream: Upstream, house: House) -> Backend:
    """The backend for a section with ``backend = openai``."""
    return HttpBackend(upstream, house)
