"""``llmstack init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config import default_ini
from llmstack.config.workdir import WorkDir, write_atomically
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack init            write .llmstack/models.ini with the default four tiers
  llmstack init --force    write it again over an edited one"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--force", action="store_true", help="replace a models.ini that is there")


def run(arguments: Namespace) -> int:
    """Write the shipped models.ini into the current directory's ``.llmstack``."""
    path = WorkDir(Path.cwd()).models_ini
    if path.exists() and not arguments.force:
        raise LlmstackError(f"{path} is there already", fix="Edit it, or replace it with --force.")
    write_atomically(path, default_ini())
    print(f"[OK] wrote {path}")
    print("     Edit it, then: llmstack start")
    return 0
