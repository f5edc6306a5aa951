"""The text of ``--help``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmstack.llama_server.flag import Flag

INTRODUCTION = """\
usage: python -m llmstack.llama_server -m FILE [options]

llama.cpp's HTTP server with llama-server's options, from the xllamacpp wheel.

-c is the context of all slots together. By default there are 4 slots that share it, so that one
request may use all of it; with -np N and without --kv-unified each slot gets 1/N of it.
An unknown option is reported and ignored. A command-line option wins over its variable.

Questions
  -h, --help             print this text
      --version          print the versions of the wheel and of llama.cpp
      --list-devices     print the devices that can hold layers
"""


def usage(chapters: Mapping[str, Sequence[Flag]]) -> str:
    """Describe all options by chapter, at most 100 columns wide."""
    parts = [INTRODUCTION]
    for title, flags in chapters.items():
        parts.append(title.removeprefix("# "))
        parts.extend(_entry(flag) for flag in flags)
        parts.append("")
    return "\n".join(parts)


def _entry(flag: Flag) -> str:
    head = ", ".join((*flag.names, *flag.off))
    if flag.metavar:
        head += f" {flag.metavar}"
    body = f"{flag.help} [{flag.env}]" if flag.env else flag.help
    if not body:
        return f"  {head}"
    gap = "  " + head + " " * max(2, 40 - len(head))
    if len(gap) > 42:
        wrapped = textwrap.wrap(body, 56)
        return "\n".join(["  " + head, *(" " * 42 + line for line in wrapped)])
    return textwrap.fill(body, 98, initial_indent=gap, subsequent_indent=" " * 42)
