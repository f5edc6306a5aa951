"""The number of a request's tokens, as far as it can be told without the model's tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmstack.backends.translated import COUNTS
from llmstack.backends.whole_answer import WholeAnswer
from llmstack.dialects import read

if TYPE_CHECKING:
    from llmstack.backends.protocol import Ask, Headers


def estimated(ask: Ask) -> WholeAnswer:
    """The answer to a question for a number of tokens that needs nobody, and says so."""
    tokens = read(COUNTS.get(ask.path, ask.path), ask.body).tokens
    return count_answer(tokens, [(b"x-llmstack-estimated", b"true")])


def count_answer(tokens: int, headers: Headers | None = None) -> WholeAnswer:
    """The answer with a number of tokens."""
    body = msgspec.json.encode({"input_tokens": tokens})
    return WholeAnswer(200, [(b"content-type", b"application/json"), *(headers or [])], body)
