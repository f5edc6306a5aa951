"""The words that stand where something was taken out. The model and the user read them.

All begin with the same mark, so that what was shortened is known as such. They are ASCII but for
what they quote, and depend on nothing that changes from request to request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llmstack.context.history import ToolResult

MARK: Final = "[llmstack: "
_CLEARED: Final = MARK + "old tool result cleared"
_SAME: Final = MARK + "same as"
_MORE: Final = MARK + "more was removed after this was written, and is not in it]"


def cleared(result: ToolResult, lines: int | None) -> str:
    """In the place of an old tool result: what was called, how much it said, how to get it."""
    size = f"{result.chars} characters" if lines is None else f"{lines} lines, {_chars(result)}"
    return (
        f"{_CLEARED}: {_about(result)}; {size}, sha {result.sha[:8]}."
        " Call the tool again if you need it.]"
    )


def same(result: ToolResult, earlier: ToolResult) -> str:
    """In the place of a result that says word for word what an ``earlier`` one has said."""
    return (
        f"{_SAME} the result of {_about(earlier)} above (call {earlier.call});"
        f" {_chars(result)}, sha {result.sha[:8]}]"
    )


def is_same(text: str) -> bool:
    """Whether ``text`` is one of ``same``."""
    return text.startswith(_SAME)


def repeated(times: int) -> str:
    """After a line that stood there ``times`` more times."""
    return f"{MARK}the line above, {times} more times]"


def cut(chars: int) -> str:
    """Between the head and the tail of a long text, ``chars`` shorter."""
    return f"{MARK}about {chars} characters cut out here]"


def gap(messages: int, calls: int) -> str:
    """Where messages were dropped."""
    return f"{MARK}{_gone(messages, calls)} removed here: they no longer fit the model's window]"


def answered() -> str:
    """In the place of an answer that was dropped between two users' turns."""
    return f"{MARK}an answer was removed here]"


def summed_up(messages: int, calls: int, summary: str) -> str:
    """``gap`` with a summary of what was dropped."""
    told = f"{MARK}{_gone(messages, calls)} removed here. Their summary:]"
    return f"{told}\n<summary>\n{summary}\n</summary>"


def partly(summary: str) -> str:
    """``summary``, for more than what it tells of."""
    return summary if summary.endswith(_MORE) else f"{summary}\n{_MORE}"


def _gone(messages: int, calls: int) -> str:
    used = f" with {calls} tool result{'s' if calls != 1 else ''}" if calls else ""
    return f"{messages} message{'s' if messages != 1 else ''}{used}"


def _about(result: ToolResult) -> str:
    about = result.about or result.tool or "a tool"
    return about if len(about) <= 200 else f"{about[:200]}..."


def _chars(result: ToolResult) -> str:
    return f"{result.chars} characters"
