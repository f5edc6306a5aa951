"""``llmstack init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_any_channel, chosen, explicit
from llmstack.config.templates import VARIANTS, default_ini
from llmstack.config.workdir import WorkDir
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.marker import Marker

EXAMPLES = """examples:
  llmstack init                          begin a project here: .llmstack/models.ini and AGENTS.md
  llmstack init --profile auto           models whose tiers fit together in this machine's memory
  llmstack init --profile gpu-24gb+64gb  the same for a GPU of 24 GB beside 64 GB of memory
  llmstack init --variant bedrock        begin with hosted models: Claude at AWS Bedrock
  llmstack init --force                  write models.ini again; the old one is models.ini.bak
  llmstack init --external http://HOST:10101
                                         begin a thin client of another machine's stack

Always the current directory, also inside another project. Next: llmstack configure"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--force", action="store_true", help="replace a models.ini that is there")
    parser.add_argument(
        "--profile",
        metavar="NAME",
        help="models for a machine's memory: auto for this one, cpu, or 8gb, 16gb, 32gb, 64gb, "
        "128gb; without it the file for 64 GB",
    )
    parser.add_argument(
        "--variant",
        choices=tuple(VARIANTS),
        default="gguf",
        help="the models to begin with: local ones (gguf), or Claude at AWS Bedrock or at "
        "Anthropic",
    )
    add_any_channel(parser)


def run(arguments: Namespace) -> int:
    """Begin a project in the current directory."""
    work = WorkDir(Path.cwd())
    begin_project(arguments, work, chosen(arguments, work))
    if explicit(arguments):
        believe_channel(work)
    print("     Next: edit it if you like, then: llmstack configure", file=sys.stderr)
    return 0


def begin_project(arguments: Namespace, work: WorkDir, marker: Marker) -> None:
    """Write what is missing, choose the channel, and trust what the user made here."""
    from llmstack.server import project

    if marker.channel == "external":
        for option in ("force", "profile"):
            if getattr(arguments, option):
                raise LlmstackError("a thin client has no models.ini", fix=f"Drop --{option}.")
    else:
        if arguments.profile and arguments.variant != "gguf":
            raise LlmstackError(
                f"--variant {arguments.variant} has no local models to choose",
                fix="Drop --profile or --variant.",
            )
        ini = _for_profile(arguments, work) if arguments.profile else default_ini(arguments.variant)
        for path, done in project.begin(work, ini, force=arguments.force).items():
            mark = "[=]" if done == "kept" else "[OK]"
            print(f"{mark} {done} {path}")
    project.choose(work, marker)
    print(f"[OK] channel {marker.line()}")


def believe_channel(work: WorkDir) -> None:
    """Remember that the user, and not a file that came along, chose the channel."""
    from llmstack.wiring.trust import UntrustworthyError, allow_channel

    try:
        allow_channel(work.root)
    except UntrustworthyError as error:
        print(f"[!] the channel cannot be relied upon: {error}", file=sys.stderr)


def _for_profile(arguments: Namespace, work: WorkDir) -> str:
    """Print the arithmetic of a profile; the text of its models.ini."""
    from llmstack.cli.fit_view import show
    from llmstack.server.profile import make_profile
    from llmstack.server.room import profile_room

    if work.models_ini.exists() and not arguments.force:
        raise LlmstackError(
            f"there is a {work.models_ini} already",
            fix="Replace it with --force (the old one is kept as models.ini.bak), or see how it "
            "fits: llmstack fit",
        )
    profile = arguments.profile.strip().lower()
    made = make_profile(profile, profile_room(profile))
    show(made.loads, made.totals, made.room)
    for remark in made.remarks:
        print(remark)
    print()
    return made.text
