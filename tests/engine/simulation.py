"""A world for the engine in which time, processes and health are what the test says."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmstack.config.swap import Group, SwapConfig, SwapModel
from llmstack.engine.engine import Engine
from llmstack.engine.identity import Identity
from llmstack.engine.plan import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from llmstack.engine.events import ModelChanged
    from llmstack.engine.lease import Lease

#: Turns of the event loop after which everything that can happen without time has happened.
TURNS = 40

#: Seconds after which a condition on real processes counts as never met (a busy machine is slow).
PATIENCE = 20.0


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """Poll for something that real processes do, with a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} was not met within {PATIENCE:g} s"
        await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """``until`` for tests without an event loop."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} was not met within {PATIENCE:g} s"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a real process has ``pid`` and is not a zombie."""
    identity = Identity.of(pid)
    return identity is not None and identity.alive()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SimulatedClock:
    """Time stands still until the test calls ``advance``."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), alarm))
        await alarm

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; every sleeper wakes at its own time, in order."""
        await settle()
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, alarm = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not alarm.done():
                alarm.set_result(None)
                await settle()
        self._now = end
        await settle()

    @property
    def asleep(self) -> int:
        """How many sleepers there are that nobody has cancelled."""
        return sum(not alarm.done() for _, _, alarm in self._sleepers)


class FakeProcess:
    """Ends when told to: at once on a signal, unless ``stubborn`` (SIGKILL only) or ``lingers``."""

    pids = itertools.count(40_000)

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], output: Callable[[bytes], None]
    ) -> None:
        self.pid = next(self.pids)
        self.argv = tuple(argv)
        self.environ = dict(environ)
        self.say = output
        self.healthy = False
        self.stubborn = False
        self.lingers = False
        self.signals: list[str] = []
        self.status: int | None = None
        self._gone = asyncio.Event()

    @property
    def alive(self) -> bool:
        return self.status is None

    def exit(self, status: int = 0) -> None:
        self.status, self.healthy = status, False
        self._gone.set()

    async def wait(self) -> int:
        await self._gone.wait()
        assert self.status is not None
        return self.status

    def terminate(self) -> None:
        self.signals.append("TERM")
        if self.alive and not (self.stubborn or self.lingers):
            self.exit(-15)

    def kill(self) -> None:
        self.signals.append("KILL")
        if self.alive and not self.lingers:
            self.exit(-9)


class FakeLauncher:
    """Makes fake processes; the first word of a command says for which model."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.refuse: dict[str, Exception] = {}
        self.healthy_at_birth = False
        self.on_start: Callable[[FakeProcess], None] = lambda _: None

    async def __call__(
        self, argv: Sequence[str], environ: Mapping[str, str], output: Callable[[bytes], None]
    ) -> FakeProcess:
        if why := self.refuse.get(argv[0]):
            raise why
        process = FakeProcess(argv, environ, output)
        process.healthy = self.healthy_at_birth
        self.processes.append(process)
        self.on_start(process)
        return process

    def of(self, model: str) -> list[FakeProcess]:
        """Every process that was ever started for ``model``, oldest first."""
        return [process for process in self.processes if process.argv[0] == model]

    def living(self) -> list[str]:
        return [process.argv[0] for process in self.processes if process.alive]


class FakeProbe:
    """A model is ready when its living process is ``healthy``."""

    def __init__(self, launcher: FakeLauncher) -> None:
        self._launcher = launcher
        self.foreign: set[str] = set()  # models whose port somebody else listens on
        self.hangs: set[str] = set()  # models whose health endpoint accepts and never answers
        self.asked: list[str] = []

    async def ready(self, url: str) -> bool:
        model = urlsplit(url).hostname or ""
        self.asked.append(url)
        if model in self.hangs:
            await asyncio.Event().wait()
        return any(process.healthy for process in self._launcher.of(model))

    def taken(self, proxy: str) -> bool:
        return (urlsplit(proxy).hostname or "") in self.foreign


class FakeGuard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.watched: set[int] = set()

    def watch(self, pid: int) -> None:
        self.watched.add(pid)

    def forget(self, pid: int) -> None:
        self.watched.discard(pid)


def model(name: str, **settings: Any) -> SwapModel:
    """A model whose command and address begin with its name, as the fakes expect."""
    return SwapModel(
        id=name, **{"cmd": f"{name} --port 9", "proxy": f"http://{name}:9", **settings}
    )


def config(*models: SwapModel, together: bool = False, **settings: Any) -> SwapConfig:
    """A configuration in which models swap each other out, or all run ``together``.

    A swap has to wait for nothing but answers, unless ``settings`` say otherwise.
    """
    groups = (Group("all", tuple(m.id for m in models), swap=False),) if together else ()
    return SwapConfig(
        source="test.yaml",
        models={m.id: m for m in models},
        **{"groups": groups, "min_residency": 0, "max_wait": 0, **settings},
    )


class Stage:
    """An engine in the simulated world."""

    def __init__(self, setup: SwapConfig, **extra: Any) -> None:
        self.clock = SimulatedClock()
        self.launcher = FakeLauncher()
        self.probe = FakeProbe(self.launcher)
        self.guard = FakeGuard()
        self.engine = Engine(
            setup,
            clock=self.clock,
            launcher=self.launcher,
            probe=self.probe,
            guard=self.guard,
            **extra,
        )
        self.events: list[ModelChanged] = []
        self.engine.events.subscribe(self.events.append)
        self._tasks: list[asyncio.Task[Any]] = []

    def said(self) -> list[tuple[str, str, str]]:
        """The events so far as (model, state, what)."""
        return [(event.model, str(event.state), event.what) for event in self.events]

    def go(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start ``work`` beside the test; whatever is left of it is cancelled at the end."""
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    def ask(self, name: str) -> asyncio.Task[Lease]:
        """A client that wants ``name``."""
        return self.go(self.engine.lease(self.engine.resolve(name)))

    async def ready(self, name: str) -> None:
        """The process of ``name`` that is starting becomes healthy."""
        await settle()
        self.launcher.of(name)[-1].healthy = True
        await self.clock.advance(1.5)  # longer than the longest pause between two probes
        assert self.engine.state(name) is State.READY

    async def load(self, name: str) -> Lease:
        """A lease on ``name``, which must be able to start now."""
        asked = self.ask(name)
        await self.ready(name)
        return await asked

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for process in self.launcher.processes:
            process.lingers = process.stubborn = False
            if process.signals and process.alive:
                process.exit(-9)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.close(drain=0)
        assert self.launcher.living() == []
        assert self.guard.watched == set()
        await settle()
        assert self.clock.asleep == 0, "a task still sleeps after close()"


@asynccontextmanager
async def stage(setup: SwapConfig, **extra: Any) -> AsyncIterator[Stage]:
    """A stage that is checked for leftovers when the test is done with it."""
    scene = Stage(setup, **extra)
    try:
        yield scene
    finally:
        await scene.end()
