"""``llmstack config``: validate, show and migrate ``models.ini``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir
from llmstack.errors import ConfigError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from llmstack.config.problems import Problem

EXAMPLES = """examples:
  llmstack config validate             every problem and warning; exit status 1 with a problem
  llmstack config validate --json      the same for a script or an editor
  llmstack config show --origin        what holds, and where each value comes from
  llmstack config migrate              show an older file in today's words, as a diff
  llmstack config migrate --write      do it; the old file is kept as models.ini.bak"""


def configure(parser: ArgumentParser) -> None:
    """Add the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    validate = actions.add_parser("validate", help="report every problem of models.ini")
    show = actions.add_parser("show", help="print the effective stack")
    show.add_argument("--origin", action="store_true", help="say where each value comes from")
    migrate = actions.add_parser("migrate", help="put an older models.ini into today's words")
    migrate.add_argument("--write", action="store_true", help="write the file, keep a .bak")
    for action in (validate, show, migrate):
        action.add_argument("file", nargs="?", type=Path, help="another file than this project's")
    for action in (validate, show):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> int:
    """Do what the sub-command says."""
    path = _file(arguments)
    match arguments.action:
        case "validate":
            return _validate(path, as_json=arguments.json)
        case "show":
            return _show(path, origin=arguments.origin, as_json=arguments.json)
    return _migrate(path, write=arguments.write)


def _file(arguments: Namespace) -> Path:
    from llmstack.config.own_ini import own_models_ini

    if not arguments.file:
        return own_models_ini(work_dir(), os.environ)
    if not (path := Path(arguments.file)).is_file():
        raise LlmstackError(f"there is no {path}")
    return path


def _validate(path: Path, *, as_json: bool) -> int:
    from llmstack.cli.hosted_view import hosted_rows
    from llmstack.config import apply_environment, load_stack
    from llmstack.config.problems import Problem as Found

    problems: Sequence[Problem] = ()
    try:
        loaded = load_stack(path)
        problems = loaded.warnings
        stack = apply_environment(loaded.stack, os.environ)
        problems = [
            *problems,
            *(
                Found(str(path), None, f"[{row.tier}] {row.problem}.", "", "warning")
                for row in hosted_rows(stack, "current", os.environ)
                if row.problem
            ),
        ]
    except ConfigError as error:
        problems = error.problems
    errors = [problem for problem in problems if problem.severity == "error"]
    if as_json:
        found = [asdict(problem) for problem in problems]
        print(json.dumps({"file": str(path), "valid": not errors, "problems": found}, indent=1))
    else:
        for problem in problems:
            print(f"[!] {problem}")
        warnings = len(problems) - len(errors)
        verdict = f"[!] {len(errors)} to mend" if errors else "[OK] valid"
        many = "s" if warnings != 1 else ""
        print(f"{verdict}{f', {warnings} warning{many}' if warnings else ''}: {path}")
    return 1 if errors else 0


def _show(path: Path, *, origin: bool, as_json: bool) -> int:
    from llmstack.config import apply_environment, load_stack
    from llmstack.config.effective import effective_rows
    from llmstack.config.ini import read_ini

    stack = apply_environment(load_stack(path).stack, os.environ)
    document = read_ini(path.read_text(encoding="utf-8"), str(path))
    rows = list(effective_rows(stack, document, os.environ))
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False))
        return 0
    section = ""
    for row in rows:
        if row.section != section:
            print(f"{'' if not section else chr(10)}[{row.section}]")
            section = row.section
        line = f"{row.key} = {row.value}"
        print(f"{line:<60} ; {row.origin}" if origin else line)
    return 0


def _migrate(path: Path, *, write: bool) -> int:
    from llmstack.config import parse_stack
    from llmstack.config.migrate import migrate
    from llmstack.config.workdir import write_atomically

    try:
        old = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise LlmstackError(f"{path} is not UTF-8", fix="Save it as UTF-8.") from error
    migration = migrate(old, str(path))
    for note in migration.notes:
        print(f"[!] {note}", file=sys.stderr)
    if migration.text == old:
        print(f"[=] nothing to migrate in {path}", file=sys.stderr)
        return 0
    old_lines, new_lines = (text.splitlines(keepends=True) for text in (old, migration.text))
    sys.stdout.writelines(unified_diff(old_lines, new_lines, str(path), f"{path} (migrated)"))
    if not write:
        print("[*] nothing was written; to do it: llmstack config migrate --write", file=sys.stderr)
        return 0
    parse_stack(migration.text, str(path))  # never put a file in place that would be refused
    mode = path.stat().st_mode & 0o777
    write_atomically(path.with_name(f"{path.name}.bak"), old, mode=mode)
    write_atomically(path, migration.text, mode=mode)
    print(f"[OK] wrote {path}; the old one is {path.name}.bak", file=sys.stderr)
    return 0
