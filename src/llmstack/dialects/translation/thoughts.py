"""Thinking with its signatures, in the form in which OpenRouter's clients send it back."""

from __future__ import annotations

from typing import Any

from llmstack.dialects.translation.reply import Event, Failed, ThinkingDelta, Usage


class Thoughts:
    """Gathers the pieces of signed and of encrypted thoughts into whole blocks.

    A provider that signs takes a thought back only as it was, so a block is told once it is whole.
    Thoughts that nobody signed make no block.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._signature: list[str] = []

    def take(self, event: Event) -> list[dict[str, Any]]:
        """The blocks that are whole now that ``event`` has come, as ``reasoning_details``."""
        if isinstance(event, (Usage, Failed)):
            return []
        if not isinstance(event, ThinkingDelta):
            return self._close()
        told = self._close() if event.redacted or (event.text and self._signature) else []
        if event.redacted:
            told.append({"type": "reasoning.encrypted", "data": event.redacted})
        if event.text:
            self._text.append(event.text)
        if event.signature:
            self._signature.append(event.signature)
        return told

    def _close(self) -> list[dict[str, Any]]:
        text, signature = "".join(self._text), "".join(self._signature)
        self._text.clear()
        self._signature.clear()
        if not signature:
            return []
        return [{"type": "reasoning.text", "text": text, "signature": signature}]
