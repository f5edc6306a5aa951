"""A user turn with the session so far, and what two people say it asks for.

The labels and their rules: docs/routing-evaluation.md.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from llmstack.errors import LlmstackError

Label = Literal["plan", "agent", "fast", "inherit", "side", "either"]
#: What a decision can be right or wrong about: the kind of tier that answers.
Kind = Literal["plan", "agent", "fast"]
Split = Literal["tune", "test"]

KINDS: Final[tuple[Kind, ...]] = ("plan", "agent", "fast")
LABELS: Final[tuple[Label, ...]] = ("plan", "agent", "fast", "inherit", "side", "either")


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An earlier message of the session."""

    role: Literal["user", "assistant"]
    text: str


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One labelled request.

    ``source`` is the style, person and project it was written as; a source is wholly in one
    ``split``. ``kind`` is why the turn is in the set: a label, or ``control``, ``log``, ``mixed``.
    ``mode`` is the agent or mode that the client declares, ``reminder`` the text that it puts
    beside the user's. ``standing`` is what answered the session so far. Turns of one ``group`` ask
    for the same thing: a ``base``, and ``paraphrase`` and ``typo`` variants of it.
    """

    id: str
    source: str
    split: Split
    kind: Literal["plan", "agent", "fast", "control", "side", "mixed", "log"]
    language: str
    client: str
    tools: bool
    text: str
    label_a: Label
    label_b: Label | None = None
    mode: str | None = None
    system: str = ""
    session: tuple[Said, ...] = ()
    standing: Kind | None = None
    reminder: str = ""
    max_output: int | None = None
    group: str | None = None
    variant: Literal["base", "paraphrase", "typo"] | None = None

    @property
    def cluster(self) -> str:
        """What turns that are not independent of each other have in common."""
        return self.group or self.id

    @property
    def right(self) -> tuple[Kind, ...]:
        """The kinds of tier that are right, the first label's first choice first."""
        labels = [self.label_a, *([self.label_b] if self.label_b else [])]
        return tuple(dict.fromkeys(kind for label in labels for kind in self._kinds(label)))

    def _kinds(self, label: Label) -> tuple[Kind, ...]:
        if label == "inherit":
            return (self.standing or "agent",)
        if label == "side":
            return ("fast", *([self.standing] if self.standing else []))
        if label == "either":
            return ("plan", "agent")
        return (label,)


def read_turns(data: bytes, name: str) -> tuple[Turn, ...]:
    """The turns in the JSON lines of ``data``; ``name`` says in errors where they come from.

    Raises:
        LlmstackError: a line is no turn, an id occurs twice, or there is no turn at all.
    """
    decoder = msgspec.json.Decoder(Turn)
    turns: dict[str, Turn] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            turn = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LlmstackError(
                f"{name}, line {number}, is not a labelled turn",
                why=str(error),
                fix="The fields are described in docs/routing-evaluation.md.",
            ) from error
        if turn.id in turns:
            raise LlmstackError(f"{name}, line {number}: the id {turn.id!r} occurs twice")
        turns[turn.id] = turn
    if not turns:
        raise LlmstackError(f"{name} holds no turns")
    return tuple(turns.values())
