"""Sessions that the real model answers, through the real gateway and the real engine."""

from __future__ import annotations

import http.client
import json
import string
import tempfile
import time
from asyncio import to_thread
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.context.fits import OUTPUT
from benchmarks.context.place import model
from benchmarks.context.session import PATH
from llmstack.config.stack import Routing, Settings, Stack, Tier, Weights
from llmstack.config.swap import SwapConfig
from llmstack.config.workdir import WorkDir
from llmstack.hub.llama_binary import LlamaServer
from llmstack.routing import ladder
from llmstack.server.plan import StackPlan
from llmstack.server.stack import RunningStack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.context.session import Session
    from llmstack.config.swap import SwapModel
    from llmstack.context.settings import ContextSettings

_NAME = "small"
_OK = 200


@dataclass(slots=True)
class Served:
    """What the answers said. ``first`` are seconds to the first piece of an answer."""

    requests: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    prompt: int = 0
    cached: int = 0
    first: list[float] = field(default_factory=list)
    prefill: list[float] = field(default_factory=list)
    summaries: dict[str, int] = field(default_factory=dict)


def _plan(root: Path, entry: SwapModel, context: ContextSettings) -> StackPlan:
    swap = SwapConfig(source="benchmark", models={entry.id: entry})
    tiers = (Tier(_NAME, "agent", Weights(path="none.gguf"), context=context),)
    work = WorkDir(root)
    work.state.mkdir(parents=True)
    work.models_ini.write_text("[DEFAULT]\n", "utf-8")
    settings = Settings(router_port=0, engine_port=0, ollama="off")
    stack = Stack(str(work.models_ini), settings, tiers, Routing())
    llama = LlamaServer(("llama-server",), "PATH")
    return StackPlan(work, stack, swap, swap, "", ladder(stack), llama, "current", ())


async def serve_session(
    weights: Path,
    window: int,
    settings: ContextSettings,
    sessions: Sequence[Session],
    found: Served,
) -> None:
    """Send all sessions, request by request, to a stack of their own; add to ``found``."""
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as folder:
        plan = _plan(Path(folder), model(_NAME, weights, window), settings)
        stack = RunningStack(plan)
        await stack.start()
        try:
            for made in sessions:
                for length in made.requests:
                    await to_thread(_ask, stack.gateway, made.body(length, **_MORE), found)
        finally:
            await stack.stop()


_MORE: dict[str, Any] = {
    "model": _NAME,
    "max_tokens": OUTPUT,
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0,
    # The answer is of no interest beyond its first token; its room is.
    "stop": list(string.printable),
}


def _ask(gateway: str, body: bytes, found: Served) -> None:
    place = urlsplit(gateway)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=300)
    with closing(connection):
        began = time.perf_counter()
        connection.request("POST", PATH, body, {"content-type": "application/json"})
        response = connection.getresponse()
        found.requests += 1
        if response.status != _OK:
            error = json.loads(response.read())["error"]
            code = error.get("code")
            name = code if isinstance(code, str) else str(error.get("type"))
            found.errors[name] = found.errors.get(name, 0) + 1
            return
        told = response.getheader("x-llmstack-context") or ""
        if "; summary " in told:
            state = told.partition("; summary ")[2].partition(";")[0]
            found.summaries[state] = found.summaries.get(state, 0) + 1
        first = 0.0
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            first = first or time.perf_counter() - began
            event = json.loads(line[6:])
            timings = event.get("timings")
            if timings:
                found.prompt += timings["prompt_n"] + timings["cache_n"]
                found.cached += timings["cache_n"]
                found.prefill.append(timings["prompt_ms"] / 1000)
        found.first.append(first)


def served_rows(rows: dict[str, Served]) -> str:
    """Return the table of what was answered; times are relative to the first row's."""
    lines = [
        "| policy | refused | cached | first token, median | slowest | prefill | summaries |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    base = next(iter(rows.values()))
    for name, one in rows.items():
        refused = ", ".join(f"{count} {code}" for code, count in one.errors.items()) or "0"
        wrote = ", ".join(f"{count} {state}" for state, count in one.summaries.items()) or "-"
        if not one.first:
            lines.append(f"| `{name}` | {refused} of {one.requests} | - | - | - | - | {wrote} |")
            continue
        lines.append(
            f"| `{name}` | {refused} of {one.requests} | {one.cached / max(1, one.prompt):.3f} "
            f"| {median(one.first) / median(base.first):.2f} x "
            f"| {max(one.first) / max(base.first):.2f} x "
            f"| {sum(one.prefill) / max(1e-9, sum(base.prefill)):.2f} x | {wrote} |"
        )
    return "\n".join(lines)
