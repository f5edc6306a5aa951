"""A second label column for the routing evaluation, by somebody who does not see the first.

    python tools/label_turns.py blind FOLDER     the turns without labels, and the codebook
    python tools/label_turns.py merge FILE       {"id": ..., "label_b": ...} lines into the set

Give FOLDER away, not the repository: the set holds column A. Ids are scrambled and the order is
random, so that neither tells what belongs together. Merging prints the agreement; columns that are
the same to the last label are refused, since people do not agree like that (docs/
routing-evaluation.md).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from llmstack.routing.evaluation.agreement import agreement
from llmstack.routing.evaluation.turn import LABELS

ROOT = Path(__file__).parent.parent
TURNS = ROOT / "src" / "llmstack" / "routing" / "evaluation" / "turns.jsonl"
DOCUMENT = ROOT / "docs" / "routing-evaluation.md"
#: What a labeller may see.
SHOWN = ("client", "mode", "tools", "standing", "system", "session", "reminder", "max_output")


def main() -> int:
    """Write the blind set or merge the labels."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("action", choices=("blind", "merge"))
    parser.add_argument("where", type=Path)
    arguments = parser.parse_args()
    turns = [json.loads(line) for line in TURNS.read_text(encoding="utf-8").splitlines()]
    if arguments.action == "blind":
        blind(turns, arguments.where)
        return 0
    problem = merge(turns, arguments.where.read_text(encoding="utf-8"))
    if problem:
        print(f"[!] {problem}", file=sys.stderr)
        return 1
    TURNS.write_text("".join(map(line, turns)), encoding="utf-8")
    return 0


def blind(turns: list[dict[str, Any]], folder: Path) -> None:
    """The turns without what tells of labels, and the codebook without the results."""
    rows = [
        {"id": scrambled(turn["id"]), **{key: turn.get(key) for key in SHOWN}, "text": turn["text"]}
        for turn in turns
    ]
    random.shuffle(rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "turns.jsonl").write_text("".join(map(line, rows)), encoding="utf-8")
    codebook = (
        DOCUMENT.read_text(encoding="utf-8").partition("## Codebook")[2].partition("\n## ")[0]
    )
    (folder / "codebook.md").write_text(f"# Codebook{codebook}", encoding="utf-8")


def merge(turns: list[dict[str, Any]], text: str) -> str:
    """Write column B into ``turns``; what is wrong with it, empty when all is well."""
    given = {row["id"]: row["label_b"] for row in map(json.loads, text.splitlines())}
    known = {name: turn for turn in turns for name in (turn["id"], scrambled(turn["id"]))}
    if unknown := [name for name in given if name not in known]:
        return f"no such turn: {unknown[0]}"
    if wrong := [label for label in given.values() if label not in LABELS]:
        return f"no such label: {wrong[0]!r}"
    for name, label in given.items():
        known[name]["label_b"] = label
    if missing := [turn["id"] for turn in turns if not turn.get("label_b")]:
        return f"{len(missing)} turns have no label, {missing[0]} for one"
    found = agreement([turn["label_a"] for turn in turns], [turn["label_b"] for turn in turns])
    print(f"{found.pairs} turns, {found.observed:.1%} alike, kappa {found.kappa}")
    if found.observed == 1:
        return "the columns are the same to the last label: not written independently"
    return ""


def scrambled(name: str) -> str:
    """An id that does not tell the source."""
    return sha256(f"blind {name}".encode()).hexdigest()[:10]


def line(row: dict[str, Any]) -> str:
    """One line of a JSON lines file."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    sys.exit(main())
