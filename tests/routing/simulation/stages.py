"""Stages to rehearse on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmstack.config import default_ini
from llmstack.config.stack_loader import parse_stack
from llmstack.dialects import RequestView
from llmstack.routing.session import Client
from llmstack.routing.simulation import Event
from llmstack.server.rehearsal import Stage, stage

SHIPPED = stage(parse_stack(default_ini(), "models.ini").stack)


class Together:
    """Everything may be loaded at the same time."""

    def evict(self, *_: Any) -> frozenset[str]:
        return frozenset()

    def explain(self, *_: Any) -> Any:
        raise NotImplementedError

    def refusal(self, *_: Any) -> None:
        return None


def resident() -> Stage:
    """The shipped stack in a memory that holds all of it."""
    return replace(SHIPPED, residency=Together(), preload=tuple(SHIPPED.costs))


def event(tokens: int = 1000, conversation: str = "a", **changes: Any) -> Event:
    """One request of a conversation."""
    found = Event(
        at=0.0,
        after=None,
        pause=0.0,
        agent="build",
        client=Client(conversation.encode()),
        kind="turn",
        mode="",
        view=RequestView("chat", "auto", has_tools=True, user_turns=1, tokens=tokens),
        conversation=conversation,
        prefix="p",
        prefix_tokens=0,
        output=50,
    )
    return replace(found, **changes)
