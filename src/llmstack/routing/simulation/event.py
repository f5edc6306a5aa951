"""One request of a day, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.dialects import RequestView
    from llmstack.routing.kind import Kind, Mode
    from llmstack.routing.session import Client


@dataclass(frozen=True, slots=True)
class Event:
    """A request.

    It is sent ``pause`` seconds after the end of the event with the number ``after``, or at the
    second ``at`` of the day where ``after`` is None. ``agent`` is the client's agent, which a user
    of explicit models gives a model each. ``conversation`` is what shares a prompt's beginning
    with earlier requests; ``prefix`` (and its tokens) is what different conversations begin with.
    ``tokens`` is the whole prompt and ``output`` the answer.
    """

    at: float
    after: int | None
    pause: float
    agent: str
    client: Client
    kind: Kind
    mode: Mode
    view: RequestView
    conversation: str
    prefix: str
    prefix_tokens: int
    output: int

    @property
    def tokens(self) -> int:
        """Tokens of the prompt."""
        return self.view.tokens

    @property
    def fresh(self) -> bool:
        """Whether a user begins a turn with it."""
        return self.kind == "turn" and self.client.parent is None
