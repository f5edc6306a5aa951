"""Tool calls in one line: what was called, and on what."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

#: Longest line.
LENGTH: Final = 120
#: Arguments that say what a call was about, the most telling first.
_TELLING: Final = (
    *("file_path", "filePath", "path_to_file", "notebook_path", "filename"),
    *("command", "cmd", "script", "pattern", "query", "url", "path"),
    *("file", "paths", "name", "description", "prompt", "input"),
)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_ERRORS = ("error", "<tool_use_error>", "traceback (most recent", "exception", "fatal:", "failed")


def about(tool: str, arguments: Any) -> str:
    """The tool and its path, command or query, on one line of at most 120 characters.

    ``arguments`` is an object or the text that a model wrote for one, which may be no JSON.
    """
    return _line(f"{tool} {_told(arguments)}")


def looks_failed(text: str) -> bool:
    """Whether a result without a mark of its own begins as errors do."""
    return text[:80].lstrip().lower().startswith(_ERRORS)


def _told(arguments: Any) -> str:
    if isinstance(arguments, str):
        try:
            parsed = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return arguments[: 2 * LENGTH]
        if not isinstance(parsed, dict):
            return arguments[: 2 * LENGTH]
        arguments = parsed
    if not isinstance(arguments, dict):
        return ""
    for name in _TELLING:
        value = arguments.get(name)
        if isinstance(value, str) and value:
            return value[: 2 * LENGTH]
        if isinstance(value, list):
            words = [word for word in value[:40] if isinstance(word, str)]
            if words:
                return " ".join(words)[: 2 * LENGTH]
    return ""


def _line(text: str) -> str:
    line = _SPACE.sub(" ", text).strip()
    return line if len(line) <= LENGTH else f"{line[: LENGTH - 1]}…"
