"""``llmstack swap``."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack import __version__
from llmstack.cli.go_flags import parse_go
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

EXAMPLES = """examples:
  llmstack swap --config config.yaml                    on 127.0.0.1:8080
  llmstack swap -config config.yaml -listen :9090 -watch-config
  llmstack swap --config config.yaml --check            every problem; exit status 0 or 1
  llmstack swap --config config.yaml --check --json     the same for a script
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
    switch("json", "with -check and -explain: answer with one JSON object")
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
    if arguments.running and not arguments.explain:
        raise LlmstackError("-running says nothing without -explain", fix="Add -explain MODEL.")
    if arguments.json and not (arguments.check or arguments.explain):
        raise LlmstackError(
            "-json says nothing without -check or -explain", fix="Add one of them, or leave it out."
        )
    if arguments.check or arguments.explain:
        return _answer(arguments, config, directory)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing is loaded yet, so nothing to reload
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


def _answer(arguments: Namespace, config: Path | None, directory: Path | None) -> int:
    from llmstack.cli import swap_answers

    if arguments.check:
        return swap_answers.check(config, directory, as_json=arguments.json)
    asked, running = arguments.explain, arguments.running
    return swap_answers.explain(config, directory, asked, running, as_json=arguments.json)
