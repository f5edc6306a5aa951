"""The context policy of a model, and the numbers that go with it."""

from __future__ import annotations

from typing import Literal

import msgspec

from llmstack.config.context_settings import (
    POLICIES,
    TRUNCATIONS,
    ContextSettings,
    Policy,
    Truncation,
)

__all__ = [
    "POLICIES",
    "TRUNCATIONS",
    "ContextSettings",
    "Policy",
    "Room",
    "Truncation",
    "Window",
]


class Window(msgspec.Struct, frozen=True):
    """Tokens of one request's prompt and answer. ``source`` says who told: served, learned, set."""

    tokens: int
    source: Literal["served", "learned", "override", "configured", "unknown"] = "unknown"


class Room(msgspec.Struct, frozen=True):
    """The window divided: ``prompt`` tokens for what is sent, ``output`` for the answer."""

    window: int
    prompt: int
    output: int
