"""The effective stack, and where each value comes from."""

from __future__ import annotations

from llmstack.config import apply_environment, default_ini, parse_stack
from llmstack.config.effective import _VALUES, effective_rows
from llmstack.config.ini import read_ini
from llmstack.config.keys import KEYS

TEXT = """[DEFAULT]
threads = 6

[a]
hf_repo = o/r
hf_file = f.gguf
role = agent
sampler = top_k=20 temp=0.5
env = A=1
  B=2
mmproj = off
"""


def rows(text: str, environ: dict[str, str]) -> dict[tuple[str, str], tuple[str, str]]:
    stack = apply_environment(parse_stack(text, "models.ini").stack, environ)
    found = effective_rows(stack, read_ini(text, "models.ini"), environ)
    return {(row.section, row.key): (row.value, row.origin) for row in found}


def test_every_value_names_its_line_its_variable_or_that_it_is_a_default() -> None:
    """A reader finds the place to edit."""
    found = rows(TEXT, {"ROUTER_PORT": "20101"})
    assert found["DEFAULT", "router_port"] == ("20101", "$ROUTER_PORT")
    assert found["DEFAULT", "engine_port"] == ("10102", "default")
    assert found["a", "threads"] == ("6", "line 2 [DEFAULT]")
    assert found["a", "role"] == ("agent", "line 7")
    assert found["a", "sampler"] == ("temp=0.5 top_k=20", "line 8")
    assert found["a", "env"] == ("A=1, B=2", "line 9")
    assert found["a", "mmproj"] == ("off", "line 11")
    assert found["a", "ttl"] == ("1800", "default")
    assert found["ROUTING", "multi_turn"] == ("6", "default")


def test_every_key_of_a_local_tier_is_shown() -> None:
    """A new key cannot be forgotten here."""
    assert {key.name for key in KEYS if not key.hosted} - {"backend"} == set(_VALUES)


def test_what_is_shown_says_the_same_when_it_is_read_again() -> None:
    """Printed without origins, the rows are a models.ini of the same tiers."""
    stack = parse_stack(default_ini(), "models.ini").stack
    text, section = "", ""
    for (name, key), (value, _) in rows(default_ini(), {}).items():
        text += "" if name == section else f"[{name}]\n"
        section = name
        text += f"{key} = {value}\n"
    assert parse_stack(text, "models.ini").stack == stack
