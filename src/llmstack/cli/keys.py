"""``llmstack keys``."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from llmstack.cli.here import own_key, work_dir
from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.access_key import AccessKey
    from llmstack.config.stack import Stack
    from llmstack.config.workdir import WorkDir

EXAMPLES = """examples:
  llmstack keys add laptop                        a key for every model; shown once
  llmstack keys add ci --models auto --rate 60/min --expires 90d
  llmstack keys add phone --models code-fast,plan
  llmstack keys add me --admin                    may also load, unload, and see logs and the page
  llmstack keys                                   which keys there are, and how much they are used
  llmstack keys revoke laptop                     from now on it is unknown

A running daemon knows at once. Without keys only this machine is let in; with keys everybody needs
one, but for this machine's own commands and the agents that are connected here."""


def configure(parser: ArgumentParser) -> None:
    """Add the actions."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=("add", "list", "revoke"),
        default="list",
        help="make a key, list them (default), or take one back",
    )
    parser.add_argument("name", nargs="?", help="what the key is called in lists and logs")
    parser.add_argument(
        "--models",
        metavar="A,B",
        help="tiers, aliases or models that it is for; auto is for whatever auto chooses "
        "(default: all)",
    )
    parser.add_argument("--admin", action="store_true", help="operations and the web page too")
    parser.add_argument("--expires", metavar="90d", help="when it ends: 12h, 90d, 1y or 2030-01-31")
    parser.add_argument("--rate", metavar="N/min", help="most requests a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Make, list or take back keys."""
    from llmstack.config.marker import read_marker

    _check(arguments)
    work = work_dir()
    marker = read_marker(work.default_channel)
    if marker and marker.channel == "external":
        raise LlmstackError(
            f"this project is a thin client of {marker.url}",
            fix="Keys are made where the stack runs. Show yours: export LLMSTACK_API_KEY=...",
        )
    match arguments.action:
        case "add":
            return _add(arguments, work)
        case "revoke":
            return _revoke(arguments, work)
        case _:
            return _list(work, as_json=arguments.json)


def _check(arguments: Namespace) -> None:
    """Options that would have no effect are mistakes."""
    action = arguments.action
    if action != "list" and not arguments.name:
        raise LlmstackError("the key has no name", fix=f"llmstack keys {action} NAME")
    if action == "list" and arguments.name:
        raise LlmstackError("a list takes no name", fix="llmstack keys")
    if action != "add":
        for option in ("models", "admin", "expires", "rate"):
            if getattr(arguments, option):
                raise LlmstackError(f"--{option} is for a new key", fix="llmstack keys add NAME")


def _add(arguments: Namespace, work: WorkDir) -> int:
    from llmstack.config.access_key import parse_expiry, parse_rate
    from llmstack.config.local_key import ensure_local_key
    from llmstack.config.numbers import BadValueError
    from llmstack.server.key_file import add_key, read_keys

    stack = _stack(work)
    now = time.time()
    try:
        expires = parse_expiry(arguments.expires, now) if arguments.expires else None
        rate = parse_rate(arguments.rate) if arguments.rate else None
    except BadValueError as error:
        raise LlmstackError(error.what, fix=error.fix) from None
    if expires is not None and expires <= now:
        raise LlmstackError(f"{arguments.expires} is in the past", fix="Write 90d, or a later day.")
    models = _models(arguments.models, work, stack) if arguments.models is not None else None
    ensure_local_key(work)
    first = not read_keys(work.keys)
    secret, key = add_key(
        work.keys,
        arguments.name,
        now=now,
        models=models,
        admin=arguments.admin,
        expires=expires,
        rate=rate,
    )
    daemon = _told(work)
    if arguments.json:
        row = {name: value for name, value in key.to_json().items() if name != "sha256"}
        print(json.dumps({"key": secret, **row}, indent=1))
        return 0
    # Only the key goes to standard output, so that a script can take it.
    print(f"[OK] {_described(key)}. It is shown this once:", file=sys.stderr)
    print(secret, flush=True)
    if daemon == "late":
        print("[!] the running daemon does not answer; it notices by itself", file=sys.stderr)
    if first:
        _tell_first(work)
    return 0


def _tell_first(work: WorkDir) -> None:
    """What changes with the first key."""
    from llmstack.hub.data_dir import data_dir
    from llmstack.wiring.connection import connections_record, read_connections

    print(
        "     From now on every request needs a key. This machine's llmstack commands have their "
        "own.",
        file=sys.stderr,
    )
    record = connections_record(data_dir(os.environ), work.root)
    agents = {one.agent for one in read_connections(record)} - {"opencode"}
    if agents:
        print("     These agents were connected without one; connect them again:", file=sys.stderr)
        for agent in sorted(agents):
            print(f"       llmstack connect {agent}", file=sys.stderr)
    print("     Let the network in: llmstack restart --host 0.0.0.0", file=sys.stderr)


def _revoke(arguments: Namespace, work: WorkDir) -> int:
    from llmstack.server.key_file import NoSuchKey, revoke_key
    from llmstack.server.key_ring import KeyRing

    try:
        revoke_key(work.keys, arguments.name)
    except NoSuchKey:
        for key in KeyRing(work, os.environ).keys:
            if key.name == arguments.name:
                where = work.plain_keys if key.source == "config.json" else "the variable API_KEYS"
                raise LlmstackError(
                    f"{arguments.name!r} stands in {where}", fix="Take it out there."
                ) from None
        raise
    late = " soon: the daemon does not answer now" if _told(work) == "late" else ""
    print(f"[OK] the key {arguments.name!r} is unknown from now on{late}")
    return 0


def _list(work: WorkDir, *, as_json: bool) -> int:
    from llmstack.cli.keys_view import key_lines

    told = _daemons(work) or _own(work)
    if as_json:
        print(json.dumps(told, indent=1))
        return 0
    if not told["keys"]:
        print("[=] there are no keys: only this machine is let in, and needs none")
        print("     Make one: llmstack keys add NAME")
    for line in key_lines(told["keys"]):
        print(line)
    return 0


def _own(work: WorkDir) -> dict[str, Any]:
    """The keys as the files have them; nobody has counted their use."""
    from llmstack.server.key_ring import KeyRing
    from llmstack.server.key_row import key_row

    ring = KeyRing(work, os.environ)
    now = time.time()
    rows = [key_row(key, now) for key in ring.keys]
    return {"required": ring.required, "keys": rows}


def _daemons(work: WorkDir) -> dict[str, Any] | None:
    """What the running daemon says, None without one."""
    from llmstack.client.http import get_json
    from llmstack.server.record import living_daemon

    record = living_daemon(work)
    if record is None:
        return None
    try:
        told: dict[str, Any] = get_json(record.gateway, "/api/keys", key=own_key(work))
    except DaemonError as error:
        print(f"[!] {error}", file=sys.stderr)
        return None
    return told


def _told(work: WorkDir) -> str:
    """Have a running daemon look at the file now: ``none`` runs, it is ``told``, or ``late``."""
    from llmstack.client.http import get_json
    from llmstack.server.record import living_daemon

    record = living_daemon(work)
    if record is None:
        return "none"
    try:
        get_json(record.gateway, "/api/keys", key=own_key(work))
    except DaemonError:
        return "late"
    return "told"


def _stack(work: WorkDir) -> Stack:
    """The project's stack. Keys of no stack would only lie about."""
    from llmstack.config.own_ini import own_models_ini
    from llmstack.config.stack_loader import load_stack

    return load_stack(own_models_ini(work, os.environ)).stack


def _models(text: str, work: WorkDir, stack: Stack) -> tuple[str, ...]:
    """The names in ``text``, all of which there are."""
    from llmstack.config.fields import split_words
    from llmstack.config.problems import nearest

    names = split_words(text)
    known = {name for tier in stack.tiers for name in (tier.name, *tier.aliases)} | {"auto"}
    prefixes = tuple(f"{source.name}/" for source in stack.sources)
    if not names:
        raise LlmstackError("--models names nothing", fix="Leave it out for all models.")
    unknown = [name for name in names if name not in known and not name.startswith(prefixes)]
    if unknown:
        known |= _served(work)
        for name in (name for name in unknown if name not in known):
            hint = nearest(name, known) or f"There are: {', '.join(sorted(known))}."
            raise LlmstackError(f"there is no model {name!r}", fix=hint)
    return names


def _served(work: WorkDir) -> set[str]:
    """The names that a running daemon has, found ones among them."""
    from llmstack.client.http import get_json
    from llmstack.server.record import living_daemon

    record = living_daemon(work)
    if record is None:
        return set()
    try:
        return {
            str(row["id"])
            for row in get_json(record.gateway, "/v1/models", key=own_key(work))["data"]
        }
    except (DaemonError, KeyError, TypeError):
        return set()


def _described(key: AccessKey) -> str:
    from llmstack.cli.keys_view import date

    parts = ["all models" if key.models is None else ", ".join(key.models)]
    if key.admin:
        parts.append("operations")
    if key.rate:
        parts.append(f"{key.rate} requests a minute")
    if key.expires:
        parts.append(f"until {date(key.expires)}")
    return f"key {key.name!r} for {'; '.join(parts)}"
