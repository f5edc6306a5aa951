"""The page on hosted models says what the parser does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmstack.config.hosted import BACKENDS
from llmstack.config.keys import names_for
from tests.config.stack_file import load

PAGE = (Path(__file__).parents[2] / "docs" / "hosted-models.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", SECTIONS)
def test_every_example_loads_without_a_warning(text: str) -> None:
    assert load(text).warnings == ()


def test_every_backend_has_an_example() -> None:
    shown = {
        one.hosted.backend
        for text in SECTIONS
        for one in (*load(text).stack.tiers, *load(text).stack.sources)
        if one.hosted
    }
    assert shown == set(BACKENDS)


def test_every_key_of_hosted_tiers_is_explained() -> None:
    keys = names_for("hosted", "aws", "url") | {"backend", "fallback", "budget_usd_per_day"}
    assert [key for key in sorted(keys) if f"`{key}`" not in PAGE] == []
