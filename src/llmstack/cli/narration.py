"""What the demo says while the stack works."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from llmstack.config.workdir import write_atomically
from llmstack.wiring.opencode import render_opencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llmstack.cli.prompts import Prompt
    from llmstack.client.chat import Turn
    from llmstack.engine import ModelChanged
    from llmstack.hub.demo_model import Progress as DownloadProgress
    from llmstack.server.plan import StackPlan


class Narrator:
    """Prints one line per event, from the event loop's thread and the asking thread alike."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._column = 0

    def say(self, line: str, style: str = "") -> None:
        """A line of its own, even in the middle of an answer."""
        with self._lock:
            if self._column:
                self._console.print()
            self._column = 0
            self._console.print(Text(line, style=style))

    def begin(self, plan: StackPlan, gateway: str) -> None:
        """What is about to run."""
        tiers = ", ".join(tier.name for tier in plan.stack.tiers)
        if plan.llama_server:
            self.say(f"[*] llama-server: {plan.llama_server.source}")
        self.say(f"[*] gateway {gateway}/v1 with tiers {tiers}")

    def model_changed(self, event: ModelChanged) -> None:
        """A process started, got ready, or was stopped."""
        match event.what:
            case "starting":
                self.say(f"    {event.model}: starting its process", "cyan")
            case "ready":
                self.say(f"    {event.model}: loaded in {event.after:.2f} s", "cyan")
            case "crashed" | "failed":
                self.say(f"[!] {event.model}: {event.what} {event.error or ''}", "red")
            case reason if str(event.state) == "stopped":
                self.say(f"    {event.model}: gone after {event.after:.2f} s ({reason})", "magenta")
            case reason:
                self.say(f"    {event.model}: {reason}", "magenta")

    def question(self, number: int, count: int, prompt: Prompt) -> None:
        """The next question."""
        self.say("")
        self.say(f"[{number}/{count}] {prompt.shown}", "bold")

    def routed(self, model: str, reason: str) -> None:
        """Who answers, and why."""
        self.say(f"    auto -> {model}   because: {reason}", "green")

    def text(self, piece: str) -> None:
        """A piece of the answer, as it arrives."""
        with self._lock:
            if not self._column:
                self._console.print("    ", end="")
            self._console.print(Text(piece.replace("\n", "\n    "), style="dim"), end="")
            self._column += len(piece)

    def answered(self, turn: Turn) -> None:
        """What the answer cost."""
        self.say(
            f"    {turn.prompt_tokens} tokens in, {turn.answer_tokens} out, "
            f"{turn.speed:.0f} tokens/s, first after {turn.first_token:.2f} s",
            "green",
        )

    def invite(self, plan: StackPlan, gateway: str) -> None:
        """What to try next."""
        config = plan.work.state / "opencode.json"
        write_atomically(config, render_opencode(plan.stack, gateway))
        body = json.dumps(
            {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
        )
        self.say("")
        self.say("[OK] the stack goes on serving until Ctrl-C. Try, in a second terminal:", "bold")
        self.say(
            f"  curl {gateway}/v1/chat/completions -H 'content-type: application/json' -d '{body}'"
        )
        self.say(f"  OPENCODE_CONFIG='{config}' opencode")
        self.say(f"  open {gateway}/ui")


@contextmanager
def show_download() -> Iterator[Callable[[DownloadProgress], None]]:
    """A progress bar that appears with the first byte; yields the function to report to."""
    bar = Progress(
        TextColumn("[*] demo model: {task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=sys.stdout),
        transient=False,
    )
    task = None
    stage = ""

    def report(progress: DownloadProgress) -> None:
        nonlocal task, stage
        if task is None:
            bar.start()
            task = bar.add_task("", total=progress.total)
        if progress.stage != stage:
            stage = progress.stage
            bar.update(task, description=f"{stage:<8}", total=progress.total)
        bar.update(task, completed=progress.done)

    try:
        yield report
    finally:
        if task is not None:
            bar.stop()
