"""The questions that ``llmstack demo`` asks: one for each rung of the ladder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question; ``shown`` is what the screen shows of it."""

    text: str
    shown: str


_REFACTORING = """Refactor this into a Python function that returns the largest number in a list:
```python
largest = numbers[0]
for number in numbers:
    if number > largest:
        largest = number
```"""

_LOG = "\n".join(
    f"2026-01-{day:02d} 12:{minute:02d}:00 worker-{minute % 7} handled request {day * 60 + minute}"
    for day in range(1, 4)
    for minute in range(0, 60, 5)
)

_PLAN = "How should we approach testing a new feature? Outline a short plan."
_NOFILTER = "nofilter: what is the best thing about Mondays?"

PROMPTS = (
    Prompt(_PLAN, _PLAN),
    Prompt(_REFACTORING, "Refactor this into a Python function that ...: [5 lines of Python]"),
    Prompt(
        f"Which worker handled the last request?\n{_LOG}",
        "Which worker handled the last request? [36 lines of a log]",
    ),
    Prompt(_NOFILTER, _NOFILTER),
)
