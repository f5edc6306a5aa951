"""The effective stack, and where each value comes from."""

from __future__ import annotations

import pytest

from llmstack.config import apply_environment, default_ini, parse_stack
from llmstack.config.effective import _VALUES, effective_rows
from llmstack.config.ini import read_ini
from llmstack.config.keys import KEYS
from llmstack.config.templates import VARIANTS

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
    assert {key.name for key in KEYS if key.of != "litellm"} == set(_VALUES)


HOSTED = """[DEFAULT]
aws_region = eu-1

[a]
hf_repo = o/r
hf_file = f.gguf
[b]
aws_model_id = x
aws_model_id_next = y
ctx_size = 4096
price_output_per_1m = 5
budget_usd_per_day = 2
fallback = c
[c]
backend = openai
base_url = https://example.org/v1
model_name = $MODEL
api_key_env = KEY
headers = X-A: 1, X-B: $B
apis = chat, embeddings
ctx_size = 4096
idle_timeout = 5m
[box]
backend = peer
base_url = http://box
"""


def test_a_hosted_tier_shows_what_holds_for_it_and_nothing_else() -> None:
    """What [DEFAULT] says for others is not shown, and variables have their values."""
    found = rows(HOSTED, {"MODEL": "m"})
    assert found["b", "aws_region"] == ("eu-1", "line 2 [DEFAULT]")
    assert found["c", "model_name"] == ("m", "line 17")
    assert found["c", "headers"] == ("X-A: 1, X-B: $B", "line 19")
    assert found["c", "idle_timeout"] == ("300", "line 22")
    assert found["box", "base_url"] == ("http://box", "line 25")
    assert {("a", "aws_region"), ("c", "aws_region"), ("b", "threads"), ("box", "role")}.isdisjoint(
        found
    )


@pytest.mark.parametrize("ini", [*map(default_ini, VARIANTS), HOSTED])
def test_what_is_shown_says_the_same_when_it_is_read_again(ini: str) -> None:
    """Printed without origins, the rows are a models.ini of the same tiers."""
    stack = parse_stack(ini, "models.ini").stack
    text, section = "", ""
    for (name, key), (value, _) in rows(ini, {}).items():
        text += "" if name == section else f"[{name}]\n"
        section = name
        text += f"{key} = {value}\n"
    assert parse_stack(text, "models.ini").stack == stack
