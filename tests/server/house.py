"""A running stack whose models are stand-ins: real sockets, real processes, the real server."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmstack.config.stack import Routing, Settings, Stack, Tier, Weights
from llmstack.config.swap import Group, SwapConfig, SwapModel
from llmstack.config.workdir import WorkDir
from llmstack.hub.llama_binary import LlamaServer
from llmstack.routing import ladder
from llmstack.server.plan import StackPlan
from llmstack.server.stack import RunningStack
from tests.engine.fake_model_server import command
from tests.server.raw_upstream import RawUpstream
from tests.server.wire import ask, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from llmstack.engine import Engine
    from tests.server.wire import Answer


@dataclass
class House:
    """A running stack and the raw upstreams behind some of its models."""

    stack: RunningStack
    work: WorkDir
    raw: Mapping[str, RawUpstream] = field(default_factory=dict)

    @property
    def gateway(self) -> int:
        """The gateway's port."""
        return urlsplit(self.stack.gateway).port or 0

    @property
    def door(self) -> int:
        """The engine door's port."""
        return urlsplit(self.stack.door).port or 0

    @property
    def engine(self) -> Engine:
        """The engine."""
        assert self.stack.engine
        return self.stack.engine

    def in_flight(self, model: str) -> int:
        """Leases that are held on a model."""
        return next(row.in_flight for row in self.engine.status() if row.id == model)

    def state(self, model: str) -> str:
        """The state of a model."""
        return str(self.engine.state(model))

    async def freed(self) -> None:
        """Wait until nobody holds or waits for any model."""
        await eventually(
            lambda: not any(row.in_flight for row in self.engine.status()), "a lease was kept"
        )
        await eventually(lambda: self.engine._scheduler.idle, "somebody still queues")


def fake(name: str, port: int, *flags: str, **more: object) -> SwapModel:
    """A model that the fake model server plays."""
    made = SwapModel(
        id=name,
        cmd=command(*flags, port=port),
        proxy=f"http://127.0.0.1:{port}",
        concurrency_limit=50,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def side_by_side(*models: SwapModel) -> SwapConfig:
    """Models that may all be loaded together."""
    names = tuple(model.id for model in models)
    return SwapConfig(
        source="test",
        models={model.id: model for model in models},
        groups=(Group("all", names, swap=False, exclusive=False),),
        health_check_timeout=60,
        include_aliases_in_list=True,
    )


def one_at_a_time(*models: SwapModel) -> SwapConfig:
    """Models of which only one may be loaded."""
    return SwapConfig(
        source="test", models={model.id: model for model in models}, health_check_timeout=60
    )


def tier(name: str, role: str, ctx_size: int = 0) -> Tier:
    """A tier that the model ``name`` serves."""
    return Tier(name, role, Weights(path="none.gguf"), ctx_size=ctx_size)


def plan_for(
    root: Path,
    swap: SwapConfig,
    tiers: Sequence[Tier] = (),
    *,
    ollama: str = "off",
    routing: Routing | None = None,
) -> StackPlan:
    """The plan of a stack with any free ports. An Ollama of this machine is not looked for."""
    work = WorkDir(root)
    work.state.mkdir(parents=True, exist_ok=True)
    work.models_ini.write_bytes(b"; \xc3\xa9 as it was written\r\n[one]\n")
    settings = Settings(
        router_port=0,
        engine_port=0,
        ollama=ollama,
        allowed_hosts=("x",),  # as some tests call it
        allowed_origins=("https://page.test", "http://page.test"),
    )
    stack = Stack(str(work.models_ini), settings, tuple(tiers), routing or Routing())
    return StackPlan(
        work=work,
        stack=stack,
        swap=swap,
        runs=swap,
        swap_text="",
        ladder=ladder(stack),
        llama_server=LlamaServer(("fake",), "PATH"),
        channel="current",
        warnings=(),
    )


@asynccontextmanager
async def running(
    root: Path,
    swap: SwapConfig,
    *,
    tiers: Sequence[Tier] = (),
    raw: Sequence[str] = (),
    ollama: str = "off",
    routing: Routing | None = None,
) -> AsyncIterator[House]:
    """Run a stack. Models named in ``raw`` are added; raw upstreams play them."""
    upstreams = {name: RawUpstream() for name in raw}
    players = {
        name: SwapModel(
            id=name,
            cmd="sleep 600",
            proxy=f"http://127.0.0.1:{upstream.port}",
            check_endpoint="none",
            concurrency_limit=200,
        )
        for name, upstream in upstreams.items()
    }
    models = {**swap.models, **players}
    groups = tuple(replace(group, members=(*group.members, *players)) for group in swap.groups)
    swap = replace(swap, models=models, groups=groups)
    stack = RunningStack(plan_for(root, swap, tiers, ollama=ollama, routing=routing))
    house = House(stack, WorkDir(root), upstreams)
    await stack.start()
    try:
        for name, upstream in upstreams.items():
            (await house.engine.lease(players[name])).release()
            await upstream.listen()
        await stack.preload()
        yield house
    finally:
        await stack.stop()
        for upstream in upstreams.values():
            await upstream.close()


async def release(port: int, words: int = 1) -> None:
    """Let a fake server go on with a paced answer. It may be stopped as soon as that has ended."""
    with suppress(EOFError, ConnectionError):
        await ask(port, "POST", "/control", {"release": words})


def error_of(answer: Answer) -> tuple[int, str]:
    """Status and message of an error in OpenAI's shape, whose every member is checked."""
    assert answer.complete
    assert answer.header("content-type") == "application/json"
    body = answer.json()
    assert body["error"].keys() >= {"message", "type", "code"}, body
    assert isinstance(body["error"]["message"], str)
    return answer.status, body["error"]["message"]


def anthropic_error_of(answer: Answer) -> tuple[int, str]:
    """Status and message of an error in Anthropic's shape."""
    assert answer.complete
    assert answer.header("content-type") == "application/json"
    body = answer.json()
    assert body["type"] == "error", body
    assert body["src"] == "llama-swap"
    assert body["error"].keys() == {"type", "message"}
    return answer.status, body["error"]["message"]
