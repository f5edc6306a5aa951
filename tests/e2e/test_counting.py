"""Counts of a real llama-server, and what calibrations learn from it, on real requests."""

from __future__ import annotations

import shlex
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity.usage import UsageMeter
from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.context.estimate import estimate
from llmstack.context.overflow import read_overflow
from llmstack.context.settings import Window
from llmstack.engine import Engine
from llmstack.http1 import Pool
from llmstack.server.calibrating import Calibrating
from llmstack.server.counting import Counting
from llmstack.server.lives import Lives
from llmstack.server.windows import Windows
from tests.context.measured import history_of
from tests.dialects.recorded import RECORDED, Recorded, wire
from tests.e2e.stack import free_ports
from tests.server.wire import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
#: The model's own template knows no tools; this one writes them as most do.
TOOLS = """\
{%- if tools %}{{- '<|im_start|>system\\n' }}
{%- for tool in tools %}{{- tool | tojson + '\\n' }}{% endfor %}{{- '<|im_end|>\\n' }}{% endif %}
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{- message.content }}{% endif %}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>' + (call.function | tojson) + '</tool_call>' }}{% endfor %}
{{- '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}
"""
CODE = "def add(first: int, second: int) -> int:\n    return first + second  # in bytes\n\n"
TEXTS = {
    "code": CODE,
    "english": "Please make this function asynchronous and write a test for every branch of it. ",
    "russian": "Пожалуйста, сделай эту функцию асинхронной и напиши тест для каждой ветви. ",
    "hindi": "कृपया इस फ़ंक्शन को असिंक्रोनस बनाइए और हर शाखा के लिए एक परीक्षण लिखिए। ",
    "chinese": "请把这个函数改成异步的，并且为每一个分支写一个测试。变量没有初始化。",  # noqa: RUF001
}


class Place:
    """A model that is ready, and everything that asks it."""

    def __init__(self, engine: Engine, pool: Pool, model: SwapModel) -> None:
        lives = Lives(engine)
        self.model = model
        self.windows = Windows(lives, pool, {})
        self.counting = Counting(lives, pool, limit=60)  # the machine may be busy
        self.calibrating = Calibrating(None)
        self.port = int(model.proxy.rpartition(":")[2])

    async def exact(self, path: str, body: dict[str, Any]) -> int:
        found = await self.counting.local(self.model, path, wire(body))
        assert found is not None
        return found

    async def off(self, path: str, body: dict[str, Any]) -> float:
        """How far off the estimate is, as a part of the truth; learns from it afterwards."""
        history = history_of(path, body)
        exact = await self.exact(path, body)
        guess = estimate(history, self.calibrating.of("m")).total
        self.calibrating.learn_exactly("m", history, exact)
        return guess / exact - 1


@asynccontextmanager
async def serving(model: Path, *flags: str) -> AsyncIterator[Place]:
    port = free_ports(1)
    argv = ["-m", str(model), "--port", str(port), "-t", "1", *flags]
    entry = SwapModel(
        id="m",
        cmd=shlex.join([sys.executable, "-P", "-m", "llmstack.llama_server", *argv]),
        proxy=f"http://127.0.0.1:{port}",
    )
    pool = Pool()
    try:
        async with Engine(SwapConfig(source="t", models={"m": entry})) as engine:
            await engine.load("m")
            yield Place(engine, pool, entry)
    finally:
        pool.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "tools.jinja"
    path.write_text(TOOLS, "utf-8")
    return path


@pytest.mark.parametrize(
    ("flags", "tokens"),
    [
        ("-c 4096", 4096),
        ("-c 4096 -np 2", 2048),
        ("-c 4096 -np 4 --kv-unified", 4096),
        ("-c 4096 --no-kv-unified", 4096),
        ("-c 4096 -np 2 --kv-unified --kv-unified-per-slot 3000", 3000),
    ],
)
async def test_the_window_of_a_slot_is_what_the_server_really_gives(
    tiny_chat: Path, flags: str, tokens: int
) -> None:
    async with serving(tiny_chat, *flags.split()) as place:
        assert place.windows.known(place.model) == Window(tokens, "configured")
        assert await place.windows.local(place.model) == Window(tokens, "served")


async def test_no_window_is_longer_than_the_model_was_trained_for(tiny_chat: Path) -> None:
    async with serving(tiny_chat, "-c", "1000000") as place:
        window = await place.windows.local(place.model)
        assert window.source == "served"
        assert window.tokens < 1_000_000


async def test_counts_are_those_of_the_answers(tiny_chat: Path) -> None:
    """The count and the usage of the answer to the very same request."""
    async with serving(tiny_chat, "-c", "8192") as place:
        for body in (
            {"messages": [{"role": "user", "content": "hello"}]},
            {
                "messages": [{"role": "user", "content": "hello"}],
                "tools": RECORDED[1].body["tools"],
            },
        ):
            asked = {**body, "max_tokens": 1}
            answer = await ask(place.port, "POST", CHAT, asked)
            assert await place.exact(CHAT, asked) == answer.json()["usage"]["prompt_tokens"]


async def test_usage_with_a_cached_prompt_teaches_the_whole_of_it(tiny_chat: Path) -> None:
    async with serving(tiny_chat, "-c", "8192", "-np", "1") as place:
        body = {"messages": [{"role": "user", "content": CODE * 20}], "max_tokens": 1}
        exact = await place.exact(CHAT, body)
        found = []
        for _ in range(2):
            answer = await ask(place.port, "POST", CHAT, body)
            meter = UsageMeter(CHAT, "application/json")
            meter.feed(answer.body)
            found.append(meter.result())
        assert found[1].cache_tokens > found[0].cache_tokens
        assert [usage.charged().input for usage in found] == [exact, exact]


async def test_every_way_of_counting_comes_to_the_same(demo_model: Path, template: Path) -> None:
    flags = ("-c", "16384", "--jinja", "--chat-template-file", str(template))
    async with serving(demo_model, *flags) as place:
        native = {r.name: await place.exact(r.path, r.body) for r in RECORDED}
        older = Counting(place.counting._lives, place.counting._pool, limit=60)
        older._absent_of("m", place.counting._lives.of(place.model) or 0).update(
            {f"{CHAT}/input_tokens", "/v1/messages/count_tokens", "/v1/responses/input_tokens"}
        )
        for request in RECORDED:
            found = await older.local(place.model, request.path, request.wire)
            assert found == pytest.approx(native[request.name], rel=0.01), request.name


async def test_an_overflow_names_the_window(tiny_chat: Path) -> None:
    async with serving(tiny_chat, "-c", "512", "-np", "1") as place:
        messages = [{"role": "user", "content": "word " * 2000}]
        answer = await ask(place.port, "POST", CHAT, {"messages": messages, "max_tokens": 1})
        overflow = read_overflow(answer.status, answer.body)
        assert overflow is not None
        assert overflow.window == 512
        assert overflow.prompt == await place.exact(CHAT, {"messages": messages})


@pytest.mark.parametrize("tools", [False, True], ids=["without tools", "with tools"])
async def test_estimates_of_opencodes_requests(
    demo_model: Path, template: Path, *, tools: bool
) -> None:
    """Safe before anything is known, and within a tenth once some answers were seen."""
    own = ("--jinja", "--chat-template-file", str(template)) if tools else ()
    async with serving(demo_model, "-c", "16384", *own) as place:
        first = [(r.name, await _unlearned(place, r)) for r in RECORDED]
        assert min(error for _, error in first) > -0.05, first
        for request in RECORDED:
            await place.off(request.path, request.body)
        then = [(r.name, await place.off(r.path, r.body)) for r in RECORDED]
        assert max(abs(error) for _, error in then) < 0.1, then


async def _unlearned(place: Place, request: Recorded) -> float:
    exact = await place.exact(request.path, request.body)
    guess = Calibrating(None).estimate("m", history_of(request.path, request.body))
    return guess.total / exact - 1


async def test_a_change_of_scripts_is_noticed_after_two_answers(demo_model: Path) -> None:
    """One price for all scripts but Latin ones: Chinese costs twice as much as Russian."""
    async with serving(demo_model, "-c", "8192") as place:
        for name in ("russian", "chinese", "hindi", "english", "chinese"):
            errors = []
            messages: list[dict[str, str]] = []
            for turn in range(6):
                messages += [
                    {"role": "user", "content": TEXTS[name] * (3 + turn)},
                    {"role": "assistant", "content": CODE},
                ]
                errors.append(await place.off(CHAT, {"messages": messages}))
            assert min(errors) > -0.3, (name, errors)
            assert max(map(abs, errors[2:])) < 0.1, (name, errors)


@pytest.mark.parametrize("name", TEXTS)
async def test_estimates_of_a_session_in_any_script(demo_model: Path, name: str) -> None:
    """From the third turn on within a tenth, whatever is spoken; too high rather than too low."""
    async with serving(demo_model, "-c", "8192") as place:
        messages = [{"role": "system", "content": "You are a coding agent. " * 20}]
        errors = []
        for turn in range(8):
            messages += [
                {"role": "user", "content": TEXTS[name] * (3 + turn)},
                {"role": "assistant", "content": f"{CODE}{TEXTS[name]}"},
            ]
            errors.append(await place.off(CHAT, {"messages": messages}))
        assert errors[0] > -0.05
        assert max(map(abs, errors[2:])) < 0.1, errors
