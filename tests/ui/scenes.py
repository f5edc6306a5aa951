"""A stack at work, as one would show it to somebody."""

from __future__ import annotations

import os
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmstack.hub.demo_model import ensure_demo_model
from tests.e2e.conftest import CACHE
from tests.e2e.stack import Stack, models_ini
from tests.ui.requests_made import ask, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Whether there is time, because somebody wants to show the pictures.
SHOWN = "LLMSTACK_SCREENSHOTS" in os.environ

LOG = "\n".join(
    f"worker {number % 7}: job {number} done in {number % 13} ms"
    for number in range(80 if SHOWN else 12)
)

#: What a day of coding sends: prompt, tokens of the answer, and the model that is named if one is.
WORK = (
    ("Refactor this into a function that returns the largest number of a list.", 60, "auto"),
    ("How should we approach testing a new feature? Outline a short plan.", 70, "auto"),
    (f"Which worker was the slowest?\n{LOG}", 50, "auto"),
    ("Write a title for this conversation: how to parse dates.", 12, "code-fast"),
    ("Fix the failing test: it compares floats with ==.", 80, "auto"),
    ("Explain what this stack trace means.", 60, "code-smart"),
    ("Review this design for races and deadlocks.", 90, "code-ultra"),
)


def shown_stack(root: Path) -> Stack:
    """Four tiers on one small model, one of them as hosted ones are: with prices and a budget."""
    path = str(ensure_demo_model(CACHE / "llmstack", lambda _: None))
    there = {"backend": "openai", "base_url": "{door}", "model_name": "code-fast"}
    prices = {"price_input_per_1m": "300", "price_output_per_1m": "1500"}
    tiers = {
        "code-fast": {"role": "fast", "path": path, "ctx_size": "16k"},
        "code-smart": {"role": "agent", "path": path, "ctx_size": "16k", "ttl": "20m"},
        "plan": {"role": "plan", "path": path, "ctx_size": "8k", "ttl": "10m"},
        "code-ultra": {"role": "agent", "ctx_size": "32k", "budget_usd_per_day": "3"}
        | there
        | prices,
    }
    return Stack(root, models_ini(tiers, capture_buffer="16"))


@contextmanager
def at_work(stack: Stack) -> Iterator[None]:
    """Requests of three sessions, one after the other, until one has seen enough."""
    stop = threading.Event()
    chance = random.Random(3)

    def work() -> None:
        while not stop.is_set():
            for text, tokens, model in WORK:
                if not stop.is_set():
                    session = f"session {chance.randrange(3)}"
                    body = {**said(text, max_tokens=tokens, stream=True), "model": model}
                    ask(stack, body, session)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
