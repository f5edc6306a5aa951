"""The daemon: runs a stack in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack import __version__
from llmstack.config.marker import Marker, write_marker
from llmstack.engine import State
from llmstack.engine.identity import Identity
from llmstack.errors import DaemonError
from llmstack.hub.file_lock import Lock
from llmstack.server.hangup import Hangup
from llmstack.server.logfile import BatchedFileHandler, lean_records
from llmstack.server.memory import calm_collector
from llmstack.server.record import DaemonRecord, living_daemon
from llmstack.server.renewal import Renewal
from llmstack.server.stack import RunningStack
from llmstack.server.watch import watch, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from llmstack.engine import ModelChanged
    from llmstack.server.plan import StackPlan

log = logging.getLogger("llmstack.daemon")
engine_log = logging.getLogger("llmstack.engine")


def run(main: Coroutine[object, object, int]) -> int:
    """Run ``main`` on uvloop where there is one."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


async def serve(
    plan: StackPlan,
    say: Callable[[str], None],
    *,
    replan: Callable[[], StackPlan] | None = None,
    watching: bool = False,
) -> int:
    """Serve ``plan`` until SIGINT or SIGTERM; the exit status.

    A second signal ends running answers too. ``say`` is told what a person should know. On SIGHUP,
    and when models.ini changes if it is ``watching``, the stack is started anew on what ``replan``
    says, within this process.

    Raises:
        DaemonError: another daemon runs here, or a port is taken.
    """
    lock = Lock(plan.work.daemon_lock)
    if not lock.acquire():
        raise already_running(plan)
    handler = open_log(plan)
    try:
        renewal = Renewal(replan, say)
        if replan is not None:
            Hangup().call(renewal.ask)
        sources = watched(Path(plan.stack.source), None) if watching else []
        stack = RunningStack(plan)
        stopping, hurry = signals()
        calm_collector()
        watcher = asyncio.ensure_future(watch(sources, renewal.ask))
        try:
            while True:
                fresh = await _life(stack, plan, say, renewal, stopping, hurry)
                if fresh is None:
                    return 0
                stack, plan = _succeed(plan, fresh, renewal)
        finally:
            watcher.cancel()
            plan.work.daemon_record.unlink(missing_ok=True)
            plan.work.active_channel.unlink(missing_ok=True)
            log.info("stopped")
    finally:
        logging.getLogger("llmstack").removeHandler(handler)
        handler.close()
        lock.release()


async def _life(
    stack: RunningStack,
    plan: StackPlan,
    say: Callable[[str], None],
    renewal: Renewal,
    stopping: asyncio.Event,
    hurry: asyncio.Event,
) -> StackPlan | None:
    """Run ``stack`` until it is to stop; the plan of the one that is to follow, None for none."""
    plan.write()
    await stack.start()
    try:
        assert stack.engine is not None
        stack.engine.events.subscribe(note)
        _record(stack).write(plan.work.daemon_record)
        write_marker(plan.work.active_channel, Marker(plan.channel))
        log.info("serving on %s and %s", stack.gateway, stack.door)
        say(f"gateway {stack.gateway}/v1  engine {stack.door}")
        if stack.public:
            say(f"network {stack.public}/v1  {_lock(stack)}")
        preload = asyncio.ensure_future(_preload(stack, say))
        stopped = asyncio.ensure_future(stopping.wait())
        renewed = asyncio.ensure_future(renewal.next(plan))
        try:
            await asyncio.wait((stopped, renewed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            preload.cancel()
            stopped.cancel()
            renewed.cancel()
        if stopping.is_set():
            say("stopping; running answers may end first")
            return None
        say("models.ini changed, starting anew; running answers may end first")
        log.info("models.ini changed, starting anew")
        return renewed.result()
    finally:
        await stack.stop(hurry)


def _succeed(
    before: StackPlan, fresh: StackPlan, renewal: Renewal
) -> tuple[RunningStack, StackPlan]:
    """The stack of ``fresh``; where its ports are taken, that of the plan ``before`` again.

    Raises:
        DaemonError: neither can be had.
    """
    try:
        return RunningStack(fresh), fresh
    except DaemonError as error:
        renewal.tell_kept(error)
        return RunningStack(before), before


def already_running(plan: StackPlan) -> DaemonError:
    """The error for a second daemon in one work directory."""
    daemon = living_daemon(plan.work)
    who = f"pid {daemon.pid}, {daemon.gateway}" if daemon else "it is just starting"
    return DaemonError(
        f"a daemon already runs in {plan.work.root} ({who})",
        fix="'llmstack status' shows it, 'llmstack restart' replaces it.",
    )


def signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Events for the first and for a further SIGINT or SIGTERM."""
    first, further = asyncio.Event(), asyncio.Event()

    def received() -> None:
        (further if first.is_set() else first).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, received)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(received))
    return first, further


def open_log(plan: StackPlan) -> logging.Handler:
    """Send the package's log to the work directory's router.log; uvicorn's errors too."""
    handler = BatchedFileHandler(plan.work.logs / "router.log")
    level = os.environ.get("LOG_LEVEL", "info").upper()
    root = logging.getLogger("llmstack")
    root.setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    root.addHandler(handler)
    root.propagate = False
    lean_records()
    # An answer that was left incomplete on purpose is no news; our own line tells of it.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return handler


def note(event: ModelChanged) -> None:
    """One log line per change of a model."""
    match event.what:
        case "starting":
            engine_log.info("%s: starting", event.model)
        case "ready":
            engine_log.info("%s: ready after %.2f s", event.model, event.after)
        case reason if event.state is State.STOPPED and event.error is None:
            engine_log.info("%s: gone after %.2f s (%s)", event.model, event.after, reason)
        case reason if event.error:
            engine_log.warning("%s: %s: %s", event.model, reason, event.error)
        case reason:
            engine_log.info("%s: stopping (%s)", event.model, reason)


def _lock(stack: RunningStack) -> str:
    """What keeps the network out."""
    if keys := len(stack.keys.keys):
        return f"keys: {keys}"
    return "keys: none are left" if stack.keys.required else "WITHOUT any key"


async def _preload(stack: RunningStack, say: Callable[[str], None]) -> None:
    for model, error in (await stack.preload()).items():
        if error:
            log.error("preload of %s failed: %s", model, error)
            say(f"{model} could not be loaded: {error}")
        else:
            say(f"{model} is loaded")


def _record(stack: RunningStack) -> DaemonRecord:
    me = Identity.of(os.getpid())
    return DaemonRecord(
        pid=os.getpid(),
        started=me.started if me else 0.0,
        gateway=stack.gateway,
        engine=stack.door,
        public=stack.public,
        version=__version__,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform != "win32":
        with contextlib.suppress(ImportError):
            import uvloop

            return uvloop.new_event_loop
    return None
