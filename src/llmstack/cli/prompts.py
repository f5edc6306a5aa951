"""The questions that ``llmstack demo`` asks: one for each rung of the ladder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question; ``shown`` is what the screen shows of it."""

    text: str
    shown: str


_FUNCTION = """Refactor this function so that it is easier to read:
```python
def f(x):
    r = []
    for i in range(len(x)):
        if x[i] > 0:
            r.append(x[i] * 2)
    return r
```"""

_LOG = "\n".join(
    f"2026-01-{day:02d} 12:{minute:02d}:00 worker-{minute % 7} handled request {day * 60 + minute}"
    for day in range(1, 4)
    for minute in range(0, 60, 5)
)

PROMPTS = (
    Prompt(
        "How would you approach the design of a small cache? Outline it in a few words.",
        "How would you approach the design of a small cache? Outline it in a few words.",
    ),
    Prompt(_FUNCTION, "Refactor this function so that it is easier to read: [8 lines of Python]"),
    Prompt(
        f"Which worker handled the last request?\n{_LOG}",
        "Which worker handled the last request? [36 lines of a log]",
    ),
    Prompt(
        "nofilter: tabs or spaces? Answer in one sentence.",
        "nofilter: tabs or spaces? Answer in one sentence.",
    ),
)
