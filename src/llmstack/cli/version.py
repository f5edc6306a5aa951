"""``llmstack version``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack import __version__

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def configure(parser: ArgumentParser) -> None:
    """No options."""
    del parser


def run(arguments: Namespace) -> int:
    """Print the version."""
    del arguments
    print(f"llmstack {__version__}")
    return 0
