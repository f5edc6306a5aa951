"""What ``llmstack swap`` answers about a configuration without serving it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from llmstack.cli.explain import json_of, lines_of
from llmstack.config.names import Local, Remote, Selected, names_of
from llmstack.config.problems import nearest
from llmstack.config.swap_merge import load_sources
from llmstack.errors import ConfigError, LlmstackError
from llmstack.residency import compile_residency
from llmstack.residency.problems import residency_problems

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from llmstack.config.names import Names
    from llmstack.config.problems import Problem
    from llmstack.config.swap import SwapConfig
    from llmstack.residency import MemoryFacts
    from llmstack.residency.footprint import Pool

#: Seconds that the running models are taken to have been idle.
EXPLAINED_IDLE = 60.0


def check(config: Path | None, directory: Path | None, *, as_json: bool) -> int:
    """Print every problem and warning. The exit status is 1 if one of them is an error.

    As JSON: ``usable``, ``models`` (their number), and ``problems``, each with ``file``, ``line``
    (null where there is none), ``severity`` (error or warning), ``message`` and ``fix``.
    """
    loaded: SwapConfig | None = None
    try:
        loaded = _load(config, directory)
    except ConfigError as error:
        problems = error.problems
    else:
        problems = loaded.warnings
    if as_json:
        told = [asdict(problem) for problem in problems]
        answer = {"usable": bool(loaded), "models": len(loaded.models) if loaded else 0}
        print(json.dumps({**answer, "problems": told}, indent=1, ensure_ascii=False))
    else:
        for problem in problems:
            print(problem)
        print(_verdict(loaded, problems))
    return 0 if loaded else 1


def explain(
    path: Path | None, directory: Path | None, name: str, running: str, *, as_json: bool
) -> int:
    """Print which of the models in ``running`` would be evicted for ``name``, and why.

    As JSON: ``model``, ``running``, ``evict`` (lists of ids), ``reason``, and the sum in
    ``memory`` if memory decides.
    """
    config = _load(path, directory)
    names = names_of(config)
    target = _model(config, names, name)
    parts = (part.strip() for part in running.split(","))
    loaded = [*dict.fromkeys(_model(config, names, part) for part in parts if part)]
    facts = _facts(config)
    idle = dict.fromkeys(loaded, EXPLAINED_IDLE)
    explanation = compile_residency(config, facts).explain(target, loaded, idle)
    pool: Pool = facts.pool if facts else "machine"
    if as_json:
        answer = {**json_of(explanation, pool), "running": loaded}
        print(json.dumps(answer, indent=1, ensure_ascii=False))
    else:
        for line in lines_of(explanation, pool):
            print(line)
    return 0


def _facts(config: SwapConfig) -> MemoryFacts | None:
    """What is known of the models' memory, if that decides."""
    if config.memory is None:
        return None
    from llmstack.engine.footprints import Footprints

    return Footprints(os.environ).facts(config)


def _load(config: Path | None, directory: Path | None) -> SwapConfig:
    return load_sources(config, directory, os.environ, further=residency_problems)


def _verdict(config: SwapConfig | None, problems: Iterable[Problem]) -> str:
    severities = [problem.severity for problem in problems]
    warned = _count(severities.count("warning"), "warning")
    if config is None:
        return f"not usable: {_count(severities.count('error'), 'error')}, {warned}"
    return f"usable: {_count(len(config.models), 'model')}, {warned}"


def _model(config: SwapConfig, names: Names, name: str) -> str:
    """The id of the local model called ``name``."""
    match names.resolve(name):
        case Local(model_id):
            return model_id
        case Selected(_, targets):
            what = f"{name!r} is a selector, not a model"
            fix = f"Ask for one of its targets: {', '.join(each.name for each in targets)}."
        case Remote(peer):
            what = f"{name!r} runs on the peer {peer!r}, so nothing is evicted here for it"
            fix = "Ask for a model of this configuration."
        case _:
            what = f"{name!r} is not a model or alias of {config.source}"
            fix = nearest(name, config.models) or f"It has: {', '.join(config.models)}."
    raise LlmstackError(what, fix=fix)


def _count(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
