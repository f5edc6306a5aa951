"""The ``llmstack`` command. One module per command: it parses arguments and prints, no more."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from llmstack.cli.commands import ALIASES, COMMANDS, overview
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit statuses: all is well, it went wrong, wrong usage, interrupted.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except LlmstackError as error:
        print(f"[!] {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from complaining as it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return status


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        if len(arguments) > 1 and arguments[1] in COMMANDS:
            return _run(arguments[1], ["--help"])
        print(overview())
        return OK
    name, rest = arguments[0], arguments[1:]
    name = ALIASES.get(name, name)
    if name not in COMMANDS:
        from llmstack.config.problems import nearest

        hint = nearest(name, COMMANDS)
        print(f"[!] unknown command {name!r}. {hint} See: llmstack help", file=sys.stderr)
        return FAILED
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    import argparse

    module = import_module(f"llmstack.cli.{COMMANDS[name].module}")
    parser = argparse.ArgumentParser(
        prog=f"llmstack {name}",
        description=COMMANDS[name].summary,
        epilog=getattr(module, "EXAMPLES", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    own = getattr(module, "parse", None)  # a command may read its arguments in its own way
    parsed = own(parser, arguments) if own else parser.parse_args(arguments)
    status: int = module.run(parsed)
    return status
