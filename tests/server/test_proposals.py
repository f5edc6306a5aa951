"""Every proposal for a stack that does not fit was worked out, and does what it says."""

from __future__ import annotations

import configparser
import re

import pytest

from llmstack.config.stack_loader import parse_stack
from llmstack.server.fit import Headers, StackFit, fit_stack
from llmstack.server.room import profile_room

AGENT = """[a]
role = agent
hf_repo = bartowski/Qwen2.5-Coder-14B-Instruct-GGUF
hf_file = Qwen2.5-Coder-14B-Instruct-Q4_K_M.gguf
ctx_size = 32768
cache_type_k = f16
cache_type_v = f16
"""
CODER = """[c]
role = agent
hf_repo = unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF
hf_file = Qwen3-Coder-30B-A3B-Instruct-Q6_K.gguf
ctx_size = 8192
"""
FAST = """[f]
role = fast
hf_repo = bartowski/Qwen2.5-Coder-3B-Instruct-GGUF
hf_file = Qwen2.5-Coder-3B-Instruct-Q5_K_M.gguf
ctx_size = 8192
"""


def fit(text: str, profile: str) -> StackFit:
    stack = parse_stack(text, "models.ini").stack
    return fit_stack(stack, "current", profile_room(profile), Headers(here=False))


def applied(text: str, change: str) -> str:
    """The file with ``[tier] key = value and key = value (remark)`` written into it."""
    match = re.fullmatch(r"\[(\w+)\] (.*?)( \(.*\))?", change)
    assert match
    parser = configparser.ConfigParser()
    parser.read_string(text)
    for pair in match[2].split(" and "):
        key, _, value = pair.partition(" = ")
        parser[match[1]][key] = value
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in parser[name].items())
        for name in parser.sections()
    )


@pytest.mark.parametrize(
    ("text", "profile", "kinds"),
    [
        (AGENT, "16gb", ["ctx_size", "cache_type_k"]),
        (CODER, "24gb", ["hf_file"]),
        (CODER, "gpu-24gb+64gb", ["hf_file", "extra_args"]),
        (AGENT, "gpu-8gb+32gb", ["n_gpu_layers"]),
        (FAST + AGENT, "16gb", ["ctx_size", "cache_type_k"]),
    ],
)
def test_each_of_them_makes_it_fit(text: str, profile: str, kinds: list[str]) -> None:
    found = fit(text, profile)
    assert not found.fits
    assert [re.sub(r"\[\w+\] (\w+) .*", r"\1", change) for change in found.changes] == kinds
    for change in found.changes:
        assert fit(applied(text, change), profile).fits, change


def test_a_window_is_not_cut_further_than_it_must_be() -> None:
    """The next larger one of the ladder would not fit."""
    (change, *_) = fit(AGENT, "16gb").changes
    assert change == "[a] ctx_size = 16384"
    assert not fit(applied(AGENT, "[a] ctx_size = 32768"), "16gb").fits


def test_if_no_single_change_will_do_several_are_made_at_once() -> None:
    """Two chats are loaded together; only both windows cut are small enough."""
    chats = AGENT.replace("[a]\nrole = agent", "[p]\nrole = plan") + AGENT.replace(
        "[a]\nrole = agent", "[u]\nrole = plan-uncensored"
    )
    assert fit(chats, "gpu-24gb").changes == ("[p], [u] ctx_size = 8192 at most, all of them",)


def test_a_fast_tier_that_is_too_large_to_stay_is_told_to_leave() -> None:
    text = FAST + CODER.replace("Q6_K", "Q4_K_M")
    assert any("another role than fast" in change for change in fit(text, "22gb").changes)


def test_the_last_resort_is_another_stack() -> None:
    (change,) = fit(CODER, "8gb").changes
    assert "llmstack init --profile auto --force" in change


def test_a_stack_that_fits_is_left_alone() -> None:
    assert fit(AGENT, "32gb").changes == ()
