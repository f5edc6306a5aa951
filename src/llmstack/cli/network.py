"""The options that say where the gateway listens, and what to do on another machine then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

#: The options by the variables that stand over models.ini.
_VARIABLES = {
    "ROUTER_HOST": "host",
    "ROUTER_PORT": "port",
    "ROUTER_TLS_CERT": "tls_cert",
    "ROUTER_TLS_KEY": "tls_key",
}


def add_network(parser: ArgumentParser) -> None:
    """Add ``--host``, ``--port``, ``--tls-cert``, ``--tls-key`` and ``--insecure``."""
    parser.add_argument(
        "--host",
        help="address that the gateway listens on, this time; 0.0.0.0 lets the network in, with "
        "a key (llmstack keys add)",
    )
    parser.add_argument("--port", help="port of the gateway, this time")
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain in PEM, for https")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key in PEM")
    parser.add_argument(
        "--insecure", action="store_true", help="let the network in although there is no key"
    )


def network_environ(arguments: Namespace) -> dict[str, str]:
    """The environment with the options for this time put over it."""
    environ = dict(os.environ)
    for variable, option in _VARIABLES.items():
        if value := getattr(arguments, option):
            file = option.startswith("tls_")
            environ[variable] = str(Path(value).expanduser().absolute()) if file else value
    if arguments.insecure:
        environ["ROUTER_INSECURE"] = "1"
    return environ


def asked_for(arguments: Namespace) -> list[str]:
    """The options that were given, as they are written."""
    options = [*_VARIABLES.values(), "insecure"]
    return [f"--{name.replace('_', '-')}" for name in options if getattr(arguments, name)]


def elsewhere_lines(public: str, keys: int) -> Iterator[str]:
    """What to do on another machine to use the gateway at ``public``; ``keys`` is how many are."""
    yield f"network {public}/v1   {f'keys: {keys}' if keys else 'WITHOUT any key'}"
    yield "on another machine, in a project:"
    key = "LLMSTACK_API_KEY=sk-llmstack-... " if keys else ""
    yield f"  export {key}LLMSTACK_REMOTE_URL={public}"
    yield "  llmstack install && llmstack connect opencode"
