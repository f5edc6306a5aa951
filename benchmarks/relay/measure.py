"""Load one target with one kind of request, and record what it cost."""

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .bodies import chat_body
from .build import compile_program
from .processes import cpu_seconds, pinned
from .targets import CHAT_PATH, Target

WARM_UP_SECONDS = 0.15
STREAM_EVENTS = 51  # 50 chunks and [DONE]
RUN_LIMIT_SECONDS = 900

Mode = Literal["json", "sse", "paced"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table: a body size, a number of connections, a kind of answer."""

    name: str
    size: int
    connections: int
    mode: Mode = "json"


CELLS = (
    Cell("1 KB x1", 1_000, 1),
    Cell("1 KB x32", 1_000, 32),
    Cell("1 KB x256", 1_000, 256),
    Cell("100 KB x1", 100_000, 1),
    Cell("100 KB x32", 100_000, 32),
    Cell("100 KB x256", 100_000, 256),
    Cell("1 MB x1", 1_000_000, 1),
    Cell("1 MB x8", 1_000_000, 8),
    Cell("1 MB x32", 1_000_000, 32),
    Cell("1 MB x256", 1_000_000, 256),
    Cell("SSE x1", 1_000, 1, "sse"),
    Cell("SSE x32", 1_000, 32, "sse"),
    Cell("paced x200", 1_000, 200, "paced"),
)
SOAK_CELL = CELLS[1]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one cell against one target. Streams leave the event times in `sse`."""

    target: str
    cell: str
    round: int
    requests: int
    errors: int
    error_kinds: dict[str, int]
    seconds: float
    rps: float
    latency_us: dict[str, float]
    cpu_ms_per_request: float | None
    sse: dict[str, Any] | None


def _upstream_stats(port: int) -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/stats")
        stats: dict[str, int] = json.loads(connection.getresponse().read())
        return stats
    finally:
        connection.close()


class Bench:
    """Runs cells against targets that share one upstream."""

    def __init__(self, workdir: Path, upstream_port: int, seconds: float, tokens: int) -> None:
        self._load = compile_program("load")
        self._workdir = workdir
        self._upstream_port = upstream_port
        self._seconds = seconds
        self._tokens = tokens

    def _body(self, cell: Cell) -> Path:
        stream = cell.mode != "json"
        path = self._workdir / f"body-{cell.size}-{'stream' if stream else 'plain'}.json"
        if not path.exists():
            path.write_bytes(chat_body(cell.size, stream=stream))
        return path

    def _run(self, target: Target, cell: Cell, amount: list[str]) -> dict[str, Any]:
        command = [str(self._load), "--port", str(target.port), "--path", CHAT_PATH]
        command += ["--body", str(self._body(cell)), "--connections", str(cell.connections)]
        if cell.mode == "sse":
            command += ["--sse", "--header", "x-bench: sse"]
        elif cell.mode == "paced":
            command += ["--sse", "--header", f"x-bench: paced;tokens={self._tokens}"]
        with pinned(proxy=False):
            result = subprocess.run(
                command + amount,
                capture_output=True,
                text=True,
                timeout=RUN_LIMIT_SECONDS,
                check=True,
            )
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    def _amount(self, cell: Cell) -> list[str]:
        if cell.mode == "paced":
            # Spread over a second: the time to the first byte of a stream, not of a stampede.
            return ["--requests", str(cell.connections), "--ramp", "1"]
        return ["--duration", str(self._seconds)]

    def measure(self, target: Target, cell: Cell, round_: int) -> Sample:
        """Warm the target up, load it for the set time, and return what happened.

        Besides the load generator's own errors, it counts requests that the upstream did not
        see exactly once or not whole ("mismatch") and streams that lost events ("events").
        """
        if cell.mode != "paced":
            self._run(target, cell, ["--duration", str(WARM_UP_SECONDS)])
        return self._sample(target, cell, round_, self._amount(cell))

    def soak(self, target: Target, requests: int) -> Sample:
        """Send `requests` small requests on 32 connections."""
        return self._sample(target, SOAK_CELL, -1, ["--requests", str(requests)])

    def _sample(self, target: Target, cell: Cell, round_: int, amount: list[str]) -> Sample:
        before = _upstream_stats(self._upstream_port)
        cpu_before = cpu_seconds(target.process) if target.process else 0.0
        report = self._run(target, cell, amount)
        cpu = cpu_seconds(target.process) - cpu_before if target.process else None
        after = _upstream_stats(self._upstream_port)

        requests = int(report["requests"])
        kinds: dict[str, int] = report["error_kinds"]
        if not report["errors"]:
            kinds["mismatch"] = abs(after["requests"] - before["requests"] - requests)
            kinds["mismatch"] += after["bad_bodies"] - before["bad_bodies"]
            if cell.mode != "json":
                events = STREAM_EVENTS if cell.mode == "sse" else self._tokens + 1
                kinds["events"] = abs(report["sse"]["events"] - events * requests)
        return Sample(
            target=target.name,
            cell=cell.name,
            round=round_,
            requests=requests,
            errors=sum(kinds.values()),
            error_kinds={kind: count for kind, count in kinds.items() if count},
            seconds=report["seconds"],
            rps=report["rps"],
            latency_us=report["latency_us"],
            cpu_ms_per_request=cpu * 1e3 / requests if cpu is not None and requests else None,
            sse=report.get("sse"),
        )
