"""What the well-known upstreams take in a chat completion, and requests written for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from llmstack.backends.outgoing import sampled
from llmstack.dialects.defaults import rename_limit
from llmstack.dialects.translation.chat_body import (
    FULL,
    PLAIN,
    ChatUpstream,
    lost_in_chat,
    write_chat,
)

if TYPE_CHECKING:
    from llmstack.config.stack import Sampler
    from llmstack.dialects.translation.conversation import Conversation

CHAT: Final = "/v1/chat/completions"

_HOSTS = {
    "openrouter.ai": FULL,
    "api.openai.com": ChatUpstream(
        cache_marks=False, efforts=("none", "minimal", "low", "medium", "high", "xhigh")
    ),
}
#: Whose thinking models know the limit of an answer by its newer name only.
_NEWER = frozenset({"api.openai.com"})


class ChatWords:
    """Writes requests for the upstream at ``base``."""

    def __init__(self, base: str) -> None:
        host = urlsplit(base).hostname or ""
        self._upstream = _HOSTS.get(host, PLAIN)
        self._newer = host in _NEWER

    def body(self, conversation: Conversation, model: str, sampler: Sampler) -> bytes:
        """The request for ``conversation``, with the tier's defaults."""
        body = write_chat(conversation, model=model, upstream=self._upstream)
        body = sampled(body, CHAT, sampler)
        return rename_limit(body) if self._newer else body

    def lost(self, conversation: Conversation) -> tuple[str, ...]:
        """What of ``conversation`` the upstream is not told."""
        return lost_in_chat(conversation, self._upstream)
