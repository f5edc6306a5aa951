"""What the user of an imagined day types.

Written for this alone: how well words are understood is measured elsewhere (``evaluation``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

BUILD: Final = (
    "add a --dry-run flag to the {thing} command and cover it with a test",
    "the {thing} test fails on the second run, find out why and fix it",
    "implement pagination in {file}, newest first",
    "rename {thing} to something that says what it does, everywhere",
    "{file} leaks a file handle when parsing fails, close it",
    "write a migration that adds a column for the {thing} status",
    "replace the hand-written retry loop in {file} with the shared one",
    "make {thing} accept a list as well as a single value",
    "the build is red since the last commit, look at it and repair it",
    "remove the dead code around {thing} and run the linter",
    "port {file} to the new client library",
    "log the reason when {thing} is skipped",
    "there is a race between the {thing} worker and shutdown, fix it with a lock",
    "update {file} so that it handles an empty response",
    "add type hints to {file} and make mypy happy",
    "split {file} into two modules, one for reading and one for writing",
    "cache the result of {thing} for a minute and add a test with a fake clock",
    "create an endpoint that returns the {thing} summary as json",
    "the date in {file} is off by one day in winter, correct it",
    "turn the three copies of the {thing} helper into one",
)
PLAN: Final = (
    "how should we structure the {thing} module before it grows further?",
    "compare two ways to store {thing}: one table or one per tenant. what are the trade-offs?",
    "think about how {thing} should behave when the network is down, no code yet",
    "outline the steps to move {file} out of the monolith",
    "what would be a sound design for {thing} with many writers?",
    "propose an approach to test {thing} without a real server",
    "is the architecture of {thing} still right for ten times the load? explain the weak points",
    "make a plan for replacing the {thing} queue, smallest step first",
    "which parts of {file} are risky to change, and in what order would you go?",
    "discuss the pros and cons of a cache in front of {thing}",
)
TERSE: Final = ("continue", "yes", "ok go on", "fix it", "yes please", "still failing, try again")
GOES_ON: Final = "Continue if you have next steps, or stop and ask for clarification."
THINGS: Final = (
    "invoice",
    "scheduler",
    "login",
    "export",
    "webhook",
    "search index",
    "rate limiter",
    "importer",
    "session",
    "report",
)
FILES: Final = (
    "src/api/orders.py",
    "internal/store/store.go",
    "src/parser.ts",
    "lib/mailer.rb",
    "app/models/user.py",
    "cmd/sync/main.go",
    "src/queue/worker.rs",
    "web/src/App.tsx",
)
PROJECTS: Final = ("shop", "gateway", "reports", "mobile-api")

#: What stands for file contents and command output.
_FILLER: Final = (
    "def handle(request, store, now):\n"
    '    """Return the rows of one page."""\n'
    "    page = int(request.query.get('page', 1))\n"
    "    rows = store.select(limit=50, offset=(page - 1) * 50)\n"
    "    return [row.to_json(now) for row in rows if not row.deleted]\n\n"
)


def said(rng: Random, phrases: tuple[str, ...]) -> str:
    """One of ``phrases``, filled in."""
    return rng.choice(phrases).format(thing=rng.choice(THINGS), file=rng.choice(FILES))


def filler(tokens: int) -> str:
    """Text of about so many tokens, as programs look."""
    size = tokens * 3
    return (_FILLER * (size // len(_FILLER) + 1))[:size]
