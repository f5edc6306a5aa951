"""Everything that is decided before a stack starts, from its files and this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.environment import apply_environment
from llmstack.config.own_ini import own_models_ini
from llmstack.config.problems import Problem
from llmstack.config.render import render_swap
from llmstack.config.stack_loader import load_stack
from llmstack.config.swap_loader import parse_swap
from llmstack.config.workdir import write_atomically
from llmstack.errors import ConfigError
from llmstack.hub.llama_binary import LlamaServer, find_llama_server
from llmstack.residency import compile_residency
from llmstack.routing import Ladder, ladder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.stack import Channel, Stack
    from llmstack.config.swap import SwapConfig
    from llmstack.config.workdir import WorkDir


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack that can be started: its values, its engine configuration, its llama-server.

    ``llama_server`` is None where no tier runs here.
    ``swap`` is the generated configuration, ``runs`` what our own engine is to run: the same, or
    one that has only the program llama-swap in it.
    """

    work: WorkDir
    stack: Stack
    swap: SwapConfig
    runs: SwapConfig
    swap_text: str
    ladder: Ladder
    llama_server: LlamaServer | None
    channel: Channel
    warnings: tuple[Problem, ...]

    def write(self) -> None:
        """Write the generated engine configuration, unless it is there already."""
        path = self.work.swap_yaml
        if path.exists() and path.read_text(encoding="utf-8") == self.swap_text:
            return
        write_atomically(path, self.swap_text)


def plan_stack(
    work: WorkDir, environ: Mapping[str, str], *, channel: Channel = "current"
) -> StackPlan:
    """Read ``models.ini`` and work out what to run. Writes nothing.

    Raises:
        DaemonError: there is no models.ini.
        ConfigError: it has problems (all are named), or a local model file is missing.
        EngineMissing: a tier runs here and no llama-server can be found; or no llama-swap can that
            is asked for.
    """
    loaded = load_stack(own_models_ini(work, environ))
    stack = apply_environment(loaded.stack, environ)
    if not stack.local:  # W19: nobody needs the program llama-swap to run nothing
        stack = replace(stack, settings=replace(stack.settings, engine="embedded"))
    missing = tuple(_missing_weights(stack, channel))
    if missing:
        raise ConfigError(missing)
    server = None
    if stack.local:
        server = find_llama_server(stack.settings.llama_server_bin, environ)
    text = render_swap(stack, llama_server=server.argv if server else (), channel=channel)
    swap = parse_swap(text, str(work.swap_yaml), environ)
    compile_residency(swap)
    return StackPlan(
        work=work,
        stack=stack,
        swap=swap,
        runs=_runs(stack, swap, work, environ),
        swap_text=text,
        ladder=ladder(stack),
        llama_server=server,
        channel=channel,
        warnings=(*loaded.warnings, *swap.warnings),
    )


def _runs(stack: Stack, swap: SwapConfig, work: WorkDir, environ: Mapping[str, str]) -> SwapConfig:
    if stack.settings.engine == "embedded":
        return swap
    from llmstack.server.foreign import foreign_config, foreign_program

    return foreign_config(swap, foreign_program(environ), work.swap_yaml, stack.settings)


def _missing_weights(stack: Stack, channel: Channel) -> list[Problem]:
    return [
        Problem(
            stack.source,
            None,
            f"[{tier.name}] {key} = {path}: there is no such file.",
            "Put the file there or change the path.",
        )
        for tier in stack.local
        for key, path in (
            ("path", tier.effective(channel).path),
            ("mmproj", tier.server.mmproj),
            ("draft_path", tier.server.draft_path),
        )
        if path and not Path(path).is_file()
    ]
