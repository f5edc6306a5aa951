"""``llmstack version``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmstack import __version__

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Print the version."""
    print(json.dumps({"version": __version__}) if arguments.json else f"llmstack {__version__}")
    return 0
