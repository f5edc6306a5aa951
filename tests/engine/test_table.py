"""``lifecycle.md`` speaks of tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_test_that_the_table_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (HERE / "lifecycle.md").read_text()))
    sources = (path.read_text() for path in HERE.parent.rglob("test_*.py"))
    there = {name for text in sources for name in re.findall(r"def (test_\w+)", text)}
    assert len(named) > 40
    assert named <= there, named - there
