"""The gateway under test: `python -m benchmarks.relay.gateway CONFIG PORT`.

Runs llmstack's own gateway and engine on the llama-swap configuration CONFIG, listening on
127.0.0.1:PORT, until it is told to terminate. The tiers are the shipped ones, with their routing
numbers; logging is on as a user has it.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from llmstack.config import default_ini, parse_stack
from llmstack.config.swap_loader import load_swap
from llmstack.config.workdir import WorkDir
from llmstack.hub.llama_binary import LlamaServer
from llmstack.routing import ladder
from llmstack.server.plan import StackPlan
from llmstack.server.serve import run, serve


def plan(config: Path, port: int) -> StackPlan:
    """The shipped stack, on `port`, with the models of `config` behind it."""
    stack = parse_stack(default_ini(), "models.ini").stack
    settings = replace(stack.settings, router_port=port, engine_port=0)
    stack = replace(stack, settings=settings)
    swap = load_swap(config, os.environ)
    return StackPlan(
        work=WorkDir(config.parent),
        stack=stack,
        swap=swap,
        runs=swap,
        swap_text=config.read_text(encoding="utf-8"),
        ladder=ladder(stack),
        llama_server=LlamaServer((), "PATH"),
        channel="current",
        warnings=(),
    )


def main() -> int:
    """Serve; return the exit status."""
    return run(serve(plan(Path(sys.argv[1]), int(sys.argv[2])), print))


if __name__ == "__main__":
    sys.exit(main())
