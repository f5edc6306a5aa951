"""`python -m benchmarks.day`: whether what the simulator says of loads happens.

The demo's stack is loaded by the real engine with the real model server. First three loads of each
tier and one long prompt are measured: those are the simulator's numbers, as the daemon learns them.
Then a short day is played on both: prompts that grow, a swap and the way back, and a second talk.
Which model leaves and how many tokens are read must be the same; seconds may differ by --factor.
"""

import argparse
import asyncio
import json
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from llmstack.config.render import render_swap
from llmstack.config.stack_loader import parse_stack
from llmstack.config.swap import SwapConfig
from llmstack.config.swap_loader import parse_swap
from llmstack.config.templates import render_demo_ini
from llmstack.dialects import RequestView
from llmstack.engine import Engine, State
from llmstack.hub.demo_model import ensure_demo_model
from llmstack.residency import compile_residency
from llmstack.routing.session import Client
from llmstack.routing.simulation import Cost, Event, SimulatedMachine

TIERS = ("code-smart", "plan")
LOADS = 3
#: Tokens that may be read more or less than predicted: servers read at least the last one again,
#: and where an answer meets the next message its tokens may come out otherwise.
SLACK = 24
OUTPUT = 16
WORDS = "the parser reads one line and keeps what it found for the next one "
#: Talk, tier and words that are added, in order.
DAY = (
    ("a", "code-smart", 60),
    ("a", "code-smart", 20),
    ("a", "plan", 0),
    ("a", "plan", 20),
    ("a", "code-smart", 10),
    ("b", "code-smart", 50),
    ("a", "code-smart", 10),
    ("b", "plan", 10),
    ("b", "code-smart", 5),
)


def _ask(url: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    body = json.dumps({"messages": messages, "max_tokens": OUTPUT, "temperature": 0})
    request = urllib.request.Request(  # noqa: S310  a server of ours
        f"{url}/v1/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


async def _serve(
    engine: Engine, config: SwapConfig, tier: str, messages: list[dict[str, str]]
) -> tuple[float, dict[str, Any]]:
    """Seconds until the model was there, and its answer."""
    began = time.monotonic()
    model = config.models[tier]
    with await engine.lease(model):
        loaded = time.monotonic() - began
        return loaded, await asyncio.to_thread(_ask, model.proxy, messages)


def _loaded(engine: Engine, config: SwapConfig) -> frozenset[str]:
    return frozenset(name for name in config.models if engine.outlook(name).state is State.READY)


async def _calibrate(config: SwapConfig) -> dict[str, Cost]:
    costs = {}
    for tier in TIERS:
        loads, prompt = [], [{"role": "user", "content": WORDS * 80}]
        for _ in range(LOADS):
            async with Engine(config) as engine:
                seconds, answer = await _serve(engine, config, tier, prompt)
            loads.append(seconds)
        timings = answer["timings"]
        costs[tier] = Cost(
            load=median(loads),
            prefill=timings["prompt_per_second"],
            decode=timings["predicted_per_second"],
        )
    return costs


async def _play(config: SwapConfig, costs: dict[str, Cost]) -> tuple[list[tuple[str, ...]], float]:
    """A row for each request; and by how much the sums of seconds differ, or infinity."""
    machine = SimulatedMachine(compile_residency(config), costs)
    talks: dict[str, list[dict[str, str]]] = {"a": [], "b": []}
    rows, wrong = [], False
    sums = {"load": [0.0, 0.0], "read": [0.0, 0.0]}
    now = 0.0
    async with Engine(config) as engine:
        for number, (talk, tier, words) in enumerate(DAY):
            talks[talk].append({"role": "user", "content": f"{talk}{number} {WORDS * words}"})
            waited, answer = await _serve(engine, config, tier, talks[talk])
            talks[talk].append(answer["choices"][0]["message"] | {"role": "assistant"})
            timings = answer["timings"]
            tokens = timings["prompt_n"] + timings["cache_n"]
            served = machine.serve(tier, _event(talk, tokens, timings["predicted_n"]), now)
            now = served.ended
            predicted = costs[tier].read(served.read)
            sums["load"][0] += served.load
            sums["load"][1] += waited if served.load else 0.0
            sums["read"][0] += predicted
            sums["read"][1] += timings["prompt_ms"] / 1000
            same = machine.running == _loaded(engine, config)
            close = abs(served.read - timings["prompt_n"]) <= SLACK
            wrong = wrong or not same or not close
            rows.append(
                (
                    f"{talk} on {tier}",
                    str(tokens),
                    f"{served.read} / {timings['prompt_n']}{'' if close else ' WRONG'}",
                    f"{served.load:.2f} / {waited:.2f}",
                    f"{predicted:.2f} / {timings['prompt_ms'] / 1000:.2f}",
                    "same" if same else "OTHER",
                )
            )
    rows.append(
        (
            "sum",
            "",
            "",
            *(f"{one:.2f} / {other:.2f}" for one, other in sums.values()),
            "",
        )
    )
    ratios = [max(one / other, other / one) for one, other in sums.values()]
    return rows, float("inf") if wrong else max(ratios)


def _event(talk: str, tokens: int, output: int) -> Event:
    return Event(
        at=0.0,
        after=None,
        pause=0.0,
        agent="build",
        client=Client(talk.encode()),
        kind="turn",
        mode="",
        view=RequestView("chat", "auto", tokens=tokens),
        conversation=talk,
        prefix="",
        prefix_tokens=0,
        output=output,
    )


def main() -> int:
    """Play, print the table; return 1 if the simulator is off."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.day", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".cache/llmstack"), help="for the model")
    parser.add_argument("--factor", type=float, default=2.0, help="of seconds (default: 2)")
    options = parser.parse_args()

    model = ensure_demo_model(options.data, lambda line: print(line, file=sys.stderr))
    stack = parse_stack(render_demo_ini(model.resolve()), "demo").stack
    settings = replace(stack.settings, start_port=10301)
    server = (sys.executable, "-m", "llmstack.llama_server")
    text = render_swap(replace(stack, settings=settings), llama_server=server)
    config = parse_swap(text, "demo", {})
    costs = asyncio.run(_calibrate(config))
    for tier, cost in costs.items():
        print(f"{tier}: loads in {cost.load:.2f} s, reads {cost.prefill:.0f} tokens/s", flush=True)
    rows, factor = asyncio.run(_play(config, costs))
    print("\n| request | prompt | read, predicted / real | load s | reading s | loaded |")
    print("|---|---:|---:|---:|---:|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(f"\nlargest factor between sums: {factor:.2f}, allowed {options.factor:g}")
    return 0 if factor <= options.factor else 1


if __name__ == "__main__":
    sys.exit(main())
