"""Forty behaviours that somebody who comes from llama-swap relies on, and the tests of each.

The list is section 8 of llama-swap's behaviour report. A test that keeps one of its promises says
so with ``@pytest.mark.top40(line, clause)``; ``index`` finds them without running or importing.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent

#: The clauses of each line.
CLAUSES: dict[int, tuple[str, ...]] = {
    # Configuration
    1: ("every flag in both spellings", ":8080, with TLS :8443", "exit 0", "exit 1", "exit 2"),
    2: ("unknown keys warn", "an empty configuration loads"),
    3: (
        "the environment first, as text",
        "from the last macro to the first",
        "typed whole values",
        "reserved names",
        "forward references rejected",
        "leftovers rejected",
    ),
    4: ("${PORT} where cmd uses it, in sorted order",),
    5: ("comment lines go before expansion", "backslash newlines", "POSIX splitting", "no shell"),
    6: ("defaults", "healthCheckTimeout at least 15"),
    7: ("ids with slash and colon", "unique aliases", "setParamsByID keys are aliases"),
    8: ("truth table", "default group", "asymmetry of groups that are not exclusive"),
    9: (
        "expressions",
        "the cheapest set, ties by the file",
        "parts of sets are permitted",
        "an unlisted model runs alone",
    ),
    10: ("old and new place of groups", "routing.* for the matrix", "not both"),
    11: ("merging", "duplicates and conflicts"),
    12: ("profiles, then selectors, then names", "local before peer"),
    # HTTP
    13: (
        "the list of routes",
        "POST routes are answered",
        "GET routes are answered",
        "/v and /audioapi are stripped",
        "multipart",
    ),
    14: ("by content type", "404 without a model", "404 for an unknown model"),
    15: ("byte for byte", "Content-Length after filters"),
    16: ("order of filters", "model is protected", "dotted paths nest"),
    17: ("error object with src", "type and code of every status", "text or HTML by Accept"),
    18: (
        "429 with Retry-After and concurrency_limit",
        "before any streamed byte",
        "queued requests count",
    ),
    19: ("500 with the cause", "the next request may try again"),
    20: ("chunks leave at once", "X-Accel-Buffering: no", "a truncated stream ends cleanly"),
    21: ("leaving ends the generation", "leaving the queue starts no load"),
    22: ("WebSocket",),
    23: ("longest name", "redirects 301 and 308", "escapes stay", "409 for ignored paths"),
    24: ("records", "status", "sorted", "meta.llamaswap", "Origin is echoed"),
    25: ("/running", "/unload", "/api/models/unload", "/api/models/unload/id", "/health"),
    26: ("password, bearer, x-api-key", "open endpoints", "WWW-Authenticate"),
    27: ("204 everywhere", "without a key"),
    28: ("envelope and initial order", "requests are told", "states and logs are told", "profiles"),
    29: (
        "/logs",
        "/logs/stream",
        "/logs/stream/proxy",
        "/logs/stream/upstream",
        "/logs/stream/model",
        "no-history",
    ),
    30: (
        "rows of the activity",
        "pages and statistics",
        "captures",
        "performance and hardware",
        "headers are redacted",
    ),
    31: ("names of the metrics",),
    # Lifecycle
    32: (
        "a process group of its own",
        "SIGTERM to the group",
        "SIGKILL to the group after the limit",
        "cmdStop with ${PID}",
        "no orphan after a crash",
    ),
    33: ("exactly 200", "probed at least every second", "early exit seen at once", "none"),
    34: ("answers are not interrupted", "victims stop before the newcomer starts"),
    35: ("one load for all", "compatible models load in parallel"),
    36: ("a ready model is served past the queue", "priority, then arrival"),
    37: ("ttl from the last answer's end", "never while busy", "a request during the stop"),
    38: ("a crash stops, the next request restarts", "no restart by itself"),
    39: ("a bad file keeps the old one", "SIGHUP", "polled every 2 s", "symbolic links"),
    40: ("streams are closed", "answers may end for 30 s", "nothing is left, exit 0"),
}


class Named(NamedTuple):
    """A test that names a clause. ``test`` is ``path::function``, from the tests' directory."""

    line: int
    clause: str
    test: str


def index(root: Path = TESTS) -> list[Named]:
    """Every mark of every test below ``root``, in the order of lines, clauses and tests."""
    found = []
    for path in sorted(root.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.top40" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                test = f"{path.relative_to(root).as_posix()}::{node.name}"
                found += [Named(*mark, test) for mark in _marks(node)]
    return sorted(found, key=lambda named: (named.line, _place(named), named.test))


def table() -> str:
    """The index as a Markdown page."""
    by_clause: dict[tuple[int, str], list[str]] = {}
    for line, clause, test in index():
        by_clause.setdefault((line, clause), []).append(test)
    lines = [
        "# Forty behaviours of llama-swap, and the tests that hold them\n",
        "| | behaviour | tests |",
        "|---|---|---|",
    ]
    for line, clauses in CLAUSES.items():
        for clause in clauses:
            tests = "<br>".join(f"`{test}`" for test in by_clause.get((line, clause), ()))
            lines.append(f"| {line} | {clause} | {tests} |")
    return "\n".join(lines) + "\n"


def _marks(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[tuple[int, str]]:
    return [
        tuple(ast.literal_eval(argument) for argument in decorator.args)  # type: ignore[misc]
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.top40"
    ]


def _place(named: Named) -> int:
    clauses = CLAUSES.get(named.line, ())
    return clauses.index(named.clause) if named.clause in clauses else len(clauses)
