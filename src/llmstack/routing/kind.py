"""What a request is for: a turn of the user's, the rest of one, or a client's side work.

Declared things come first: the route, headers that say what a client's agent is, the prompts that
known clients use for titles, summaries and compaction. Then the shape. Sources: recorded requests
of opencode, and the public prompts of Claude Code, Codex, Open WebUI and others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from llmstack.routing.terse import is_terse

if TYPE_CHECKING:
    from llmstack.dialects import RequestView

Kind = Literal[
    "turn", "continuation", "follow-up", "title", "summary", "compaction", "count", "probe"
]
#: What a client's agent says it is doing: ``plan`` and ``build`` are opencode's and Claude Code's.
Mode = Literal["", "plan", "build"]

#: Work beside the conversation, which any model can do.
SIDE: Final[frozenset[Kind]] = frozenset(("title", "summary", "count", "probe"))

#: Characters of a text that are looked at for a known prompt.
_HEAD: Final = 600
#: An answer of so few tokens is nothing that anybody reads.
_PROBED: Final = 16
#: Prompts of a probe are no longer, in tokens.
_PROBE: Final = 64
#: Nor is what they say, in characters, unless one token is all that is wanted.
_HI: Final = 24

_DECLARED: Final[dict[str, Kind]] = {
    "title": "title",
    "summary": "summary",
    "compaction": "compaction",
}
_MODES: Final[dict[str, Mode]] = {"plan": "plan", "build": "build"}

# "Write a short, catchy title", but not "an article with a title" or "a title bar".
_EPITHETS: Final = (
    r"(?:(?!(?:about|for|from|in|including|of|that|to|under|where|which|with)\b)[\w,'-]+ ){0,8}"
)
_NO_WIDGET: Final = (
    r"(?! (?:attribute|bar|case|column|component|element|field|page|screen|slide|tag)s?\b)"
)
_TITLE_WORDS: Final = (
    "title",
    "headline",
    "### task",
    "new conversation topic",
    "branch name",
    "newtopic",
)
_TITLE_SYSTEM: Final = re.compile(
    r"you are a title generator|analyze if this message indicates a new conversation topic"
    r"|(?:generate|create|write|provide|suggest|come up with) (?:a|an|the|one)?\s*"
    rf"{_EPITHETS}(?:title|headline|branch name)\b{_NO_WIDGET}|\bisnewtopic\b",
    re.IGNORECASE,
)
_TITLE_USER: Final = re.compile(
    r"^\s*generate a title for this conversation"
    r"|^\s*(?:### task:\s*)?(?:please )?(?:generate|create|write|provide|suggest|give me) "
    rf"(?:a|an|the)?\s*{_EPITHETS}title\b{_NO_WIDGET}"
    r"(?:[^.]{0,60}\b(?:chat|conversation|thread|session|"
    r"discussion|above|following)|.{0,80}(?:emoji|words))"
    r"|^\s*### task:\s*(?:generate \d.{0,20}tags|suggest \d.{0,30}follow-up)",
    re.IGNORECASE,
)
_SUMMARY: Final = re.compile(
    r"^\s*summari[sz]e (?:what was done in this conversation|this coding conversation)"
    r"|^\s*you (?:write|generate) (?:\w+ ){0,3}commit messages?\b"
    r"|^\s*you are an expert at writing git commits?\b"
    r"|^\s*you are a (?:conversation|commit|pull request) (?:summar|message|description)",
    re.IGNORECASE,
)
_COMPACTION_SYSTEM: Final = re.compile(
    r"context summari[sz]ation (?:agent|assistant)|tasked with summari[sz]ing conversations"
    r"|summari[sz]es internal chat history",
    re.IGNORECASE,
)
_COMPACTION_USER: Final = re.compile(
    r"create (?:a|or update an?) (?:new )?(?:anchored )?summary from the conversation history"
    r"|provide a detailed (?:prompt|summary) for continuing our conversation"
    r"|your task is to create a detailed summary of the conversation so far"
    r"|you are performing a context checkpoint compaction",
    re.IGNORECASE,
)
#: How agents go on by themselves after a compaction.
_GOES_ON: Final = re.compile(
    r"continue if you have next steps, or stop"
    r"|^\s*this session is being continued from a previous conversation",
    re.IGNORECASE,
)
_PLAN_MODE: Final = re.compile(
    r"plan mode (?:is |still )?active|#+ plan mode\b|you are (?:now )?in plan mode", re.IGNORECASE
)
_BUILD_MODE: Final = re.compile(
    r"mode has changed from plan to \w+|(?:have )?(?:exited|left) plan mode", re.IGNORECASE
)


def kind_of(view: RequestView, path: str = "", declared: str = "") -> Kind:
    """The kind of a request to ``path`` whose client says that it is ``declared``, if anything."""
    if path.endswith("count_tokens"):
        return "count"
    if known := _DECLARED.get(declared):
        return known
    if view.dialect not in ("chat", "messages", "responses"):
        return "turn"
    system, said = view.system[:_HEAD].lower(), view.last_user
    if ("summar" in system and _COMPACTION_SYSTEM.search(system)) or _compacts(said):
        return "compaction"
    if not view.has_tools and (side := _side_work(view, system)):
        return side
    if view.continues:
        return "continuation"
    if view.user_turns > 1 and is_terse(said):
        return "follow-up"
    goes_on = "continue" in said[: 2 * _HEAD].lower() and _GOES_ON.search(said[: 2 * _HEAD])
    return "follow-up" if goes_on else "turn"


def _side_work(view: RequestView, system: str) -> Kind | None:
    """Which side work a request without tools is, if any; ``system`` is in lower case."""
    said = view.last_user[:_HEAD].lower()
    # Plain searches first: they take a hundredth of the time.
    if _mentions_title(system) and _TITLE_SYSTEM.search(system):
        return "title"
    if _mentions_title(said) and _TITLE_USER.search(said):
        return "title"
    if _SUMMARY.search(said) or _SUMMARY.search(system):
        return "summary"
    return "probe" if _is_probe(view) else None


def _mentions_title(text: str) -> bool:
    for word in _TITLE_WORDS:  # noqa: SIM110  a loop: this runs twice for every request
        if word in text:
            return True
    return False


def mode_of(view: RequestView, declared: str = "") -> Mode:
    """The mode that the client's agent is in, as far as it says."""
    if known := _MODES.get(declared):
        return known
    said = view.reminders
    if not said:
        return ""
    if _BUILD_MODE.search(said):
        return "build"
    return "plan" if _PLAN_MODE.search(said) else ""


def _compacts(said: str) -> bool:
    # The instruction stands before the conversation that is to be summarised, or after it.
    ends = f"{said[:_HEAD]}\n{said[-8 * _HEAD :]}".lower()
    if "summary" not in ends and "continuing our" not in ends and "compaction" not in ends:
        return False
    return _COMPACTION_USER.search(ends) is not None


def _is_probe(view: RequestView) -> bool:
    if view.max_output is None or view.user_turns > 1 or view.has_images:
        return False
    if not 0 < view.max_output <= _PROBED or view.tokens > _PROBE:
        return False
    # People ask for a few tokens too, when they try things out; what they say is longer than "hi".
    said = view.last_user
    return view.max_output == 1 or (len(said) <= _HI and len(said.split()) <= 2)
