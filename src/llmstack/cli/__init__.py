"""The ``llmstack`` command. One module per command: it parses arguments and prints, no more."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.commands import ALIASES, COMMANDS, overview
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit statuses: all is well, it went wrong, wrong usage, interrupted.
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    _mend_streams()
    try:
        status = _dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except LlmstackError as error:
        from llmstack.wiring.shell_prompt import printable_text

        # It may quote another machine, or a file of anybody's.
        print(f"[!] {printable_text(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _silence()  # the reader (head, less) has seen enough
        return OK
    except UnicodeEncodeError as error:
        print(f"[!] {_not_unicode(error)}", file=sys.stderr)
        return FAILED
    except OSError as error:
        with suppress(OSError):
            print(f"[!] {_sentence(error)}", file=sys.stderr)
        _silence()
        return FAILED
    return status


def _mend_streams() -> None:
    """Put something in the place of closed streams; show what their encoding has no words for."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  until we end
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence() -> None:
    """Keep Python from complaining as it shuts down that the output cannot be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: OSError) -> str:
    """What the system refused, and what is to be done about it where that is known."""
    why = error.strerror or str(error) or type(error).__name__
    where = f"{error.filename}: " if error.filename is not None else ""
    fix = {
        errno.EACCES: "Is it yours? Look with: ls -ld",
        errno.EPERM: "Is it yours? Look with: ls -ld",
        errno.EROFS: "Choose another place: LLMSTACK_WORK_DIR, LLMSTACK_DATA_DIR or HF_HOME.",
        errno.ENOSPC: "Free some space; what was there before is unchanged.",
        errno.EEXIST: "Something is in the way; move it.",
        errno.EISDIR: "A directory is in the way; move it.",
        errno.ENOTDIR: "A file is in the way; move it.",
    }.get(error.errno or 0, "")
    return f"{where}{why}\n{fix}".rstrip()


def _not_unicode(error: UnicodeEncodeError) -> str:
    """What cannot be written: mostly the name of a directory, which may hold any bytes."""
    rest, _, _ = error.object[error.start :].partition("\n")
    line = error.object[: error.start].rpartition("\n")[2] + rest
    return (
        "a name has bytes that are no characters, and the file to be written is UTF-8\n"
        f"{line.strip()!r}\n"
        "Rename it; if it looks right to you, use a UTF-8 locale: LC_ALL=C.UTF-8"
    )


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        if len(arguments) > 1:
            asked = ALIASES.get(arguments[1], arguments[1])
            return _run(asked, ["--help"]) if asked in COMMANDS else _unknown(asked)
        print(overview())
        return OK
    name, rest = arguments[0], arguments[1:]
    name = ALIASES.get(name, name)
    return _run(name, rest) if name in COMMANDS else _unknown(name)


def _unknown(name: str) -> int:
    from llmstack.config.problems import nearest

    hint = " ".join(part for part in (nearest(name, COMMANDS), "See: llmstack help") if part)
    print(f"[!] unknown command {name!r}. {hint}", file=sys.stderr)
    return USAGE


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
