"""``llmstack swap``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack import __version__
from llmstack.cli.go_flags import parse_go
from llmstack.errors import ConfigError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from llmstack.config.swap import SwapConfig
    from llmstack.residency.footprint import Pool

EXAMPLES = """examples:
  llmstack swap --config config.yaml                    on 127.0.0.1:8080
  llmstack swap -config config.yaml -listen :9090 -watch-config
  llmstack swap --config config.yaml --check            every problem; exit status 0 or 1
  llmstack swap --config config.yaml --explain big --running small,vision

All flags are spelt with one dash or two, as for llama-swap. SIGHUP reloads the configuration."""

#: Seconds that -explain takes the running models to have been idle.
EXPLAINED_IDLE = 60.0


def configure(parser: ArgumentParser) -> None:
    """Add the options."""

    def option(name: str, text: str, metavar: str) -> None:
        parser.add_argument(f"-{name}", f"--{name}", default="", metavar=metavar, help=text)

    def switch(name: str, text: str) -> None:
        parser.add_argument(f"-{name}", f"--{name}", action="store_true", help=text)

    option("config", "a llama-swap config.yaml", "FILE")
    option("config-dir", "a directory of .yml and .yaml files, merged on top of it", "DIR")
    option("listen", "address (default :8080, with TLS :8443)", "HOST:PORT")
    option("tls-cert-file", "certificate chain in PEM; switches TLS on", "FILE")
    option("tls-key-file", "its private key in PEM", "FILE")
    switch("watch-config", "reload when a file of the configuration changes")
    switch("insecure", "let the network in although no apiKeys are configured")
    switch("check", "say everything that is wrong with the configuration, and end")
    option("explain", "say which models would be evicted for this one and why, and end", "MODEL")
    option("running", "with -explain: the models that are loaded, all idle for equally long", "A,B")
    switch("json", "with -explain: answer in JSON")
    switch("version", "print the version and end")


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Read the arguments as Go would."""
    return parse_go(parser, arguments)


def run(arguments: Namespace) -> int:
    """Serve, or answer one question about the configuration."""
    if arguments.version:
        print(f"version: {__version__} (unknown), built at unknown")
        return 0
    if not arguments.config and not arguments.config_dir:
        raise LlmstackError(
            "no configuration is named", fix="Give -config FILE, -config-dir DIR, or both."
        )
    config = Path(arguments.config) if arguments.config else None
    directory = Path(arguments.config_dir) if arguments.config_dir else None
    if arguments.check:
        return _check(config, directory)
    if arguments.explain:
        loaded = _load(config, directory)
        return _explain(loaded, arguments.explain, arguments.running, as_json=arguments.json)
    from llmstack.server.serve import run as run_loop
    from llmstack.server.swap import SwapOptions, swap

    options = SwapOptions(
        config=config,
        config_dir=directory,
        listen=arguments.listen,
        certificate=arguments.tls_cert_file,
        key=arguments.tls_key_file,
        watch=arguments.watch_config,
        insecure=arguments.insecure,
    )
    return run_loop(swap(options))


def _load(config: Path | None, directory: Path | None) -> SwapConfig:
    from llmstack.config.swap_merge import load_sources

    return load_sources(config, directory, os.environ)


def _check(config: Path | None, directory: Path | None) -> int:
    from llmstack.residency import compile_residency

    try:
        loaded = _load(config, directory)
        compile_residency(loaded)
    except ConfigError as error:
        for problem in error.problems:
            print(problem)
        count = sum(problem.severity == "error" for problem in error.problems)
        print(f"not usable: {_count(count, 'error')}")
        return 1
    for warning in loaded.warnings:
        print(warning)
    warned = _count(len(loaded.warnings), "warning") if loaded.warnings else "no warnings"
    print(f"usable: {_count(len(loaded.models), 'model')}, {warned}")
    return 0


def _explain(config: SwapConfig, name: str, running: str, *, as_json: bool) -> int:
    from llmstack.cli.explain import json_of, lines_of
    from llmstack.residency import compile_residency

    target = _resolve(config, name)
    loaded = [_resolve(config, each.strip()) for each in running.split(",") if each.strip()]
    if target in loaded and not as_json:
        print(f"{target} is loaded already: nothing is evicted")
        return 0
    facts = None
    if config.memory is not None:
        from llmstack.engine.footprints import Footprints

        facts = Footprints(os.environ).facts(config)
    idle = dict.fromkeys(loaded, EXPLAINED_IDLE)
    explanation = compile_residency(config, facts).explain(target, loaded, idle)
    pool: Pool = facts.pool if facts else "machine"
    if as_json:
        print(json.dumps(json_of(explanation, pool), indent=2))
    else:
        for line in lines_of(explanation, pool):
            print(line)
    return 0


def _resolve(config: SwapConfig, name: str) -> str:
    from llmstack.config.problems import nearest

    model = config.resolve(name)
    if model is None:
        raise LlmstackError(
            f"{name!r} is not a model or alias of {config.source}",
            fix=nearest(name, config.models) or f"It has: {', '.join(config.models)}.",
        )
    return model


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
