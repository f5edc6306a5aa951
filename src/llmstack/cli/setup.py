"""``llmstack setup``: everything between installing llmstack and starting it."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir
from llmstack.config.templates import VARIANTS
from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

    from llmstack.config.workdir import WorkDir

    Step = Callable[[WorkDir, Namespace], bool]

EXAMPLES = """examples:
  llmstack setup                   begin a project here if there is none, fetch its models
  llmstack setup --skip-wait       fetch them in the background
  llmstack setup --skip-download   fetch nothing now
  llmstack setup --profile 32gb    with models for another machine's memory
  llmstack setup --variant bedrock with hosted models: nothing is fetched

Never asks. A step that fails does not keep the others from being done; the exit status is then 1.
Called again, it does what is not done yet."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="the memory to choose models for, where there is no models.ini yet (default auto)",
    )
    parser.add_argument(
        "--variant",
        choices=tuple(VARIANTS),
        default="gguf",
        help="the models to begin with, where there is no models.ini yet: local ones (gguf), or "
        "Claude at AWS Bedrock or at Anthropic",
    )
    parser.add_argument("--skip-download", action="store_true", help="fetch no models")
    parser.add_argument(
        "--skip-wait", action="store_true", help="fetch the models in the background"
    )


def run(arguments: Namespace) -> int:
    """Take every step, and say how to go on."""
    from llmstack.config.marker import read_marker

    work = work_dir()
    marker = read_marker(work.default_channel)
    if marker and marker.channel == "external":
        raise DaemonError(
            f"this project is a thin client of {marker.url}",
            why="It runs no models, so there is nothing to set up.",
            fix="Look whether it works: llmstack doctor",
        )
    steps = _steps()
    well = True
    for number, (title, step) in enumerate(steps.items(), 1):
        print(f"[{number}/{len(steps)}] {title}", flush=True)
        try:
            well = step(work, arguments) and well
        except LlmstackError as error:
            if not work.models_ini.is_file():  # without a project nothing else makes sense
                raise
            sys.stdout.flush()
            print(f"[!] {error}", file=sys.stderr, flush=True)
            well = False
    if not well:
        print("[!] not everything is set up; see above, then again: llmstack setup")
        return 1
    print("[OK] set up. Next: llmstack start")
    return 0


def _steps() -> dict[str, Step]:
    return {
        "project": _project,
        "models": _models,
        "engine": _engine,
        "shell": _shell,
        "agents": _agents,
    }


def _project(work: WorkDir, arguments: Namespace) -> bool:
    """Begin it, or render what an earlier run did not come to."""
    from llmstack.cli.configure import configure_project
    from llmstack.cli.init import begin_project
    from llmstack.config.marker import Marker, read_marker

    marker = read_marker(work.default_channel) or Marker("current")
    if not work.models_ini.is_file():
        profile = arguments.profile or ("auto" if arguments.variant == "gguf" else None)
        begin_project(
            Namespace(force=False, profile=profile, variant=arguments.variant), work, marker
        )
    elif work.opencode_json.is_file():
        print(f"[=] {work.models_ini} is there")
        return True
    return configure_project(work, marker, only_print=False) == 0


def _models(work: WorkDir, arguments: Namespace) -> bool:
    from llmstack.cli import download

    if arguments.skip_download:
        print("[=] skipped; when you want them: llmstack download")
        return True
    wanted = download.wanted_here(work)
    if not wanted:
        print("[=] no tier needs a file from the hub")
        return True
    if arguments.skip_wait:
        return download.detach(work, at_once=download.AT_ONCE) == 0
    return download.fetch_all(work, wanted, at_once=download.AT_ONCE) == 0


def _engine(work: WorkDir, _: Namespace) -> bool:
    """Fetch llama-swap for those who ask for it; the own engine needs nothing."""
    from llmstack.cli import install_llama_swap
    from llmstack.config import load_stack

    stack = load_stack(work.models_ini).stack
    if stack.settings.engine == "embedded" or not stack.local:
        print("[=] llmstack's own; nothing to fetch")
        return True
    return install_llama_swap.run(Namespace(force=False)) == 0


def _shell(_: WorkDir, __: Namespace) -> bool:
    """Write the hook of the user's shell, and say where its line belongs."""
    from llmstack.wiring import shell_hook as hook

    name, _variable = hook.detect_shell(os.environ)
    shell = hook.shell_named(name)
    if shell is None:
        print(f"[=] there is no hook for {name or 'this shell'}; 'llmstack start' opens a shell")
        return True
    try:
        path, fresh = hook.install_hook(shell, Path.home(), hook.own_command())
    except OSError as error:
        raise LlmstackError("the shell hook cannot be written", why=str(error)) from error
    print(f"[OK] wrote {path}" if fresh else f"[=] {path} is up to date")
    print(f"     For every new shell, add to {hook.advice(shell)}")
    return True


def _agents(_: WorkDir, __: Namespace) -> bool:
    """Name the agents that could be connected. That there is none is no failure."""
    from llmstack.wiring.agent_programs import PROGRAMS, installed_agents

    found = installed_agents(os.environ)
    for one in found:
        print(f"[OK] {one.agent:<9} {one.version:<12} llmstack connect {one.agent}")
    if not found:
        print(f"[=] none of {', '.join(PROGRAMS.values())} is on PATH")
        print("     When one is: llmstack connect NAME")
    return True
