"""``llmstack models``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from llmstack.cli.here import channel, gateway, key_for, work_dir
from llmstack.errors import DaemonError
from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.workdir import WorkDir

EXAMPLES = """examples:
  llmstack models          names, aliases and windows; from the running stack, else models.ini
  llmstack models --json   the same for a script"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def run(arguments: Namespace) -> int:
    """Print one line for each model."""
    work = work_dir()
    rows = _asked(work) if _answers(work) else _declared(work)
    if arguments.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return 0
    for row in rows:
        window = f"{row['context']:>8}" if row["context"] else " " * 8
        aliases = f"  ({', '.join(row['aliases'])})" if row["aliases"] else ""
        print(printable(f"{row['id']:<20} {row['state']:<9} {window}  {row['name']}{aliases}"))
    return 0


def _answers(work: WorkDir) -> bool:
    from llmstack.server.record import living_daemon

    return channel(work).channel == "external" or living_daemon(work) is not None


def _asked(work: WorkDir) -> list[dict[str, Any]]:
    """What the stack says; aliases are folded into the model that they stand for."""
    from llmstack.client.http import get_json

    base = gateway(work)
    try:
        return _rows(get_json(base, "/v1/models", key=key_for(work, base)))
    except (AttributeError, KeyError, TypeError) as error:
        raise DaemonError(
            f"what {base} answers is no list of models", fix="Is that the gateway of an llmstack?"
        ) from error


def _rows(answer: Any) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    aliases: list[tuple[str, str]] = []
    for record in answer["data"]:
        about = (record.get("meta") or {}).get("llamaswap") or {}
        if about.get("type") == "alias":
            aliases.append((str(about.get("modelID")), str(record["id"])))
            continue
        rows[str(record["id"])] = _row(
            str(record["id"]),
            str(record.get("name") or record.get("description") or ""),
            str((record.get("status") or {}).get("value") or ""),
            window if isinstance(window := about.get("ctx_size"), int) else 0,
        )
    for of, alias in aliases:
        if of in rows:
            rows[of]["aliases"].append(alias)
    return list(rows.values())


def _declared(work: WorkDir) -> list[dict[str, Any]]:
    from llmstack.server.plan import plan_stack

    plan = plan_stack(work, os.environ)
    stack = plan.stack
    auto = _row("auto", "chooses the tier", "", 0)
    rows = [auto]
    for tier in stack.tiers:
        elsewhere = tier.elsewhere(plan.channel)
        state = elsewhere.backend if elsewhere else ""
        rows.append(_row(tier.name, tier.description, state, tier.ctx_size, list(tier.aliases)))
    rows += [
        _row(f"{source.name}/...", source.description, source.hosted.backend, 0)
        for source in stack.sources
    ]
    return rows


def _row(
    name: str, about: str, state: str, context: int, aliases: list[str] | None = None
) -> dict[str, Any]:
    return {
        "id": name,
        "name": about,
        "state": state,
        "context": context,
        "aliases": aliases or [],
    }
