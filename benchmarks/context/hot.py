"""`python -m benchmarks.context.hot`: CPU time that fitting adds to requests that fit."""

from __future__ import annotations

import json
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.context.session import PATH, session
from llmstack.context.body import read_history
from llmstack.context.checkpoints import Checkpoints, digests
from llmstack.context.fit import drive
from llmstack.context.hygiene import clean
from llmstack.context.needs import Asked
from llmstack.context.prefix import chain
from llmstack.context.settings import ContextSettings, Window
from llmstack.server.calibrating import Calibrating

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.context.needs import Answer, Need

_SIZES = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000}
_WINDOW = 1 << 20


def body_of(size: int) -> bytes:
    """Return an agent's request of about ``size`` bytes."""
    made = session(7, max(1, size // 9_000), 6, min(400, size // 500))
    fitting = [length for length in made.requests if len(made.body(length)) <= size]
    if fitting:
        return made.body(fitting[-1])
    text = "x = compute(1)\n" * (size // 20)
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]}).encode()


def microseconds(work: Callable[[], object]) -> float:
    """Return the median CPU time of one call."""
    once = _timed(work)
    runs = [_timed(work) for _ in range(max(5, min(300, int(0.3 / max(once, 1e-7)))))]
    return median(runs) * 1e6


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1e9


def main() -> None:
    """Measure and print the table."""
    calibrating = Calibrating(None)
    print("| CPU microseconds | steadying | digests | look-up | history | fitting | next prefix |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, size in _SIZES.items():
        body = body_of(size)
        links, store = digests(PATH, body), Checkpoints()

        def fit(body: bytes = body, links: tuple[str, ...] = links) -> None:
            window, settings = Window(_WINDOW, "served"), ContextSettings()

            async def meet(_: Need) -> Answer:
                raise AssertionError("it fits")

            asked = Asked(
                PATH, body, window, settings, lambda seen: calibrating.estimate("m", seen), links
            )
            steps = drive(asked, meet)
            try:
                steps.send(None)
            except StopIteration:
                return

        figures = [
            microseconds(work)
            for work in (
                lambda body=body: clean(PATH, body),  # type: ignore[misc]
                lambda body=body: digests(PATH, body),  # type: ignore[misc]
                lambda links=links, store=store: store.find("m", links),  # type: ignore[misc]
                lambda body=body: read_history(PATH, body),  # type: ignore[misc]
                fit,
                lambda body=body: chain(PATH, body),  # type: ignore[misc]
            )
        ]
        print(f"| {name} ({len(body)} bytes) | {' | '.join(f'{one:,.0f}' for one in figures)} |")


if __name__ == "__main__":
    main()
