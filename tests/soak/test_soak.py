"""Thousands of requests while models are killed, unloaded and reconfigured: nothing goes amiss.

``SOAK_REQUESTS``, ``SOAK_CLIENTS`` and ``SOAK_SEED`` make it longer, wider or the same again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.cli.swaps import Swap, swapping
from tests.soak.clients import LEFT, STUCK, Client, Outcome
from tests.soak.settings import FLAGS, MODELS, NARROW, Settings, free_row
from tests.soak.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = int(os.environ.get("SOAK_REQUESTS", "20000"))
CLIENTS = int(os.environ.get("SOAK_CLIENTS", "128"))
SEED = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))

#: Bytes by which the daemon may grow after the first two fifths of the requests.
GROWTH = 16 * 2**20

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(max(180, REQUESTS // 50)),
    pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors and reads environments"),
]


def test_twenty_thousand_requests_amid_kills_unloads_and_reloads(tmp_path: Path) -> None:
    """Every request ends in time and as it may; then no process, descriptor or memory is left."""
    rng = Random(SEED)
    first = free_row(rng)
    print(f"SOAK_SEED={SEED}")
    with swapping(tmp_path, Settings().text(first)) as swap:
        daemon = psutil.Process(swap.process.pid)
        swap.chat("m00")
        at_rest(swap)
        descriptors = daemon.num_fds()
        trouble = Trouble(swap.port, daemon.pid, tmp_path / "config.yaml", first, rng)
        outcomes, memory = asyncio.run(run(swap.port, trouble, rng, daemon))
        took = outcomes[-1].end - outcomes[0].begin
        count = Counter(outcome.status for outcome in outcomes)
        print(f"{len(outcomes)} requests in {took:.1f} s: {count}; {trouble.counts}; {memory}")
        judge(outcomes, trouble)
        at_rest(swap)
        swap.until(
            lambda: daemon.num_fds() <= descriptors,
            lambda: f"{descriptors} descriptors before, {daemon.num_fds()} after",
        )
        assert memory[1] - memory[0] < GROWTH, memory
        swap.process.terminate()
        assert swap.end() == 0, swap.lines
        swap.nothing_left()
    assert not [line for line in swap.lines if "Traceback" in line or "[ERROR]" in line]


async def run(
    port: int, trouble: Trouble, rng: Random, daemon: psutil.Process
) -> tuple[list[Outcome], tuple[int, int]]:
    """All requests; their outcomes in the order of their end, and the memory before and after."""
    numbers = iter(range(REQUESTS))
    outcomes: list[Outcome] = []
    favourites = ["m00", "m04", "m08"]
    warm: list[int] = []

    async def client(own: Random) -> None:
        connection = Client(port, own)
        for number in numbers:
            if number % 300 == 0:  # most clients want what others want, and that changes
                favourites[own.randrange(3)] = own.choice(MODELS)
            model = own.choice(favourites) if own.random() < 0.97 else own.choice(MODELS)
            outcomes.append(await connection.ask(model, number))
            if len(outcomes) == REQUESTS * 2 // 5:
                warm.append(daemon.memory_info().rss)
        connection.close()

    troubling = asyncio.ensure_future(trouble.run())
    clients = asyncio.gather(*(client(Random(rng.random())) for _ in range(CLIENTS)))
    await asyncio.wait({clients, troubling}, return_when=asyncio.FIRST_COMPLETED)
    if troubling.done():
        clients.cancel()
        await asyncio.gather(clients, return_exceptions=True)
        await troubling  # raises what went wrong
    troubling.cancel()
    await asyncio.gather(troubling, return_exceptions=True)
    await clients
    return outcomes, (warm[0], daemon.memory_info().rss)


def judge(outcomes: list[Outcome], trouble: Trouble) -> None:
    """Everybody got all of the answer, unless something explains why not."""
    assert len(outcomes) == REQUESTS
    odd = [outcome for outcome in outcomes if not explained(outcome, trouble)]
    assert not odd, f"SOAK_SEED={SEED}: {len(odd)} of {len(outcomes)} unexplained:\n{told(odd)}"
    fine = sum(outcome.whole for outcome in outcomes)
    assert fine > REQUESTS * 0.5, f"SOAK_SEED={SEED}: only {fine} whole answers"


def explained(outcome: Outcome, trouble: Trouble) -> bool:
    """Whether a request may have ended as it did."""
    if outcome.whole or outcome.status == LEFT:
        return True
    if outcome.status == STUCK or "already" in outcome.said:  # somebody on the model's port
        return False
    if outcome.model == NARROW and outcome.status == 429:
        return True
    if "fails" in FLAGS.get(outcome.model, ()) and "no such file" in outcome.said:
        return outcome.status == 500
    return any(blow.excuses(outcome) for blow in trouble.blows)


def told(odd: list[Outcome]) -> str:
    """Some of them, for a failure's message."""
    return "\n".join(map(str, odd[:8]))


def at_rest(swap: Swap) -> None:
    """Unload everything; nothing is in flight, nobody waits, and only the guard may be left."""
    daemon = psutil.Process(swap.process.pid)
    swap.until(lambda: swap.ask("/unload")[0] == 200, lambda: "cannot unload")
    rows = swap.ask("/api/models")[1]
    swap.until(
        lambda: all(
            (row["state"], row["in_flight"], row["queue_length"]) == ("stopped", 0, 0)
            for row in swap.ask("/api/models")[1]["models"]
        ),
        lambda: f"not at rest: {rows}",
    )
    swap.until(lambda: not in_flight(swap), lambda: f"still in flight: {in_flight(swap)}")
    swap.until(
        lambda: all("guard" in " ".join(child.cmdline()) for child in daemon.children()),
        lambda: f"left over: {daemon.children()}",
    )


def in_flight(swap: Swap) -> list[object]:
    """The requests that the dashboard shows as running."""
    url = f"http://127.0.0.1:{swap.port}/api/events"
    with urllib.request.urlopen(url, timeout=30) as stream:
        events = (json.loads(line[5:]) for line in stream if line.startswith(b"data:"))
        found = next(event["data"] for event in events if event["type"] == "inflight")
    rows = json.loads(found)
    return list(rows.get("requests", []))
