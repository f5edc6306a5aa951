"""Putting our settings into a file that may be the user's, and leaving the rest as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Where our lines begin and end in files of other formats.
BEGIN = "# >>> llmstack: written by 'llmstack connect'; edit outside of these marks >>>"
END = "# <<< llmstack <<<"


def merged_json(path: Path, text: str | None, ours: Mapping[str, Any]) -> str:
    """``text`` with the members of ``ours`` in it; objects are merged, anything else replaced.

    Raises:
        LlmstackError: it is not plain JSON (comments would be lost); the message has what to add.
    """
    if text is None or not text.strip():
        return _dumped(ours)
    try:
        there = json.loads(text)
    except ValueError as error:
        raise LlmstackError(
            f"{path} is not plain JSON, so it is left alone",
            why=f"{error}. Comments in it would be lost.",
            fix=f"Add this yourself:\n{_dumped(ours)}",
        ) from error
    if not isinstance(there, dict):
        raise LlmstackError(f"{path} holds no JSON object", fix=f"Expected:\n{_dumped(ours)}")
    return _dumped(_merged(there, ours))


def marked_block(path: Path, text: str | None, ours: Mapping[str, Any]) -> str:
    """YAML ``text`` with ``ours`` between our marks, in place of what stood there before.

    Raises:
        LlmstackError: a key of ours stands outside of the marks, or the file is no mapping.
    """
    rest = without_block(text or "")
    try:
        there = yaml.safe_load(rest)
    except yaml.YAMLError as error:
        raise LlmstackError(f"{path} is not YAML", why=str(error)) from error
    if there is not None and not isinstance(there, dict):
        raise LlmstackError(f"{path} holds no YAML mapping")
    if twice := sorted(set(there or {}) & set(ours)):
        raise LlmstackError(
            f"{path} sets {', '.join(twice)} already",
            fix=f"Remove that, or add this yourself:\n{yaml.safe_dump(dict(ours))}",
        )
    return with_block(rest, yaml.safe_dump(dict(ours), sort_keys=False, allow_unicode=True))


def with_block(rest: str, block: str) -> str:
    """``rest`` followed by ``block`` between our marks."""
    if rest and not rest.endswith("\n"):
        rest += "\n"
    return f"{rest}{BEGIN}\n{block.rstrip()}\n{END}\n"


def without_block(text: str) -> str:
    """``text`` without what stands between our marks."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.strip() == BEGIN:
            inside = True
        elif line.strip() == END:
            inside = False
        elif not inside:
            kept.append(line)
    return "".join(kept)


def _merged(there: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(there)
    for key, value in ours.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _dumped(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
