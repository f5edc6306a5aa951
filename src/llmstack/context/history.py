"""A request's history as compaction sees it: whole units, and what of them may be shortened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: APIs whose bodies hold a history. ``completions`` is one text and has no units.
Api = Literal["chat", "messages", "responses"]

Kind = Literal["system", "user", "assistant", "round", "other"]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One tool's result inside a unit.

    ``item`` is the index in the body's list (``messages``, ``input``), ``block`` the index of the
    block within that item's content, None where the whole item is the result. ``sha`` is of its
    text; ``about`` names the call in one line: the tool and its path, command or query.
    """

    item: int
    block: int | None
    call: str
    tool: str
    about: str
    chars: int
    sha: str
    error: bool = False
    #: Already a placeholder that an earlier edit put there.
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """Items ``start`` up to, not including, ``end``, which stay or go together.

    A ``round`` is an assistant's turn with calls and all results that belong to them (and, in
    ``responses``, the reasoning items before it). ``text_chars`` and ``other_chars`` (arguments,
    names) are in characters; ``wide_chars`` are those of them that are not Latin; ``images`` counts
    pictures. ``open`` says that a call has no result yet.
    """

    kind: Kind
    start: int
    end: int
    text_chars: int
    other_chars: int = 0
    wide_chars: int = 0
    images: int = 0
    results: tuple[ToolResult, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """All units of a body in order, together covering every item of its list.

    ``first_task`` is the index of the unit with the first real user message, ``last_user`` that of
    the last one (None when there is none; they may be the same). ``front_chars`` is what stands
    beside the list: system text, instructions; ``tools_chars`` the tools' definitions as JSON.
    """

    api: Api
    units: tuple[Unit, ...]
    first_task: int | None
    last_user: int | None
    front_chars: int = 0
    front_wide_chars: int = 0
    tools_chars: int = 0
    max_output: int | None = None
