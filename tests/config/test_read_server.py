"""How a tier's model server is started: defaults for all, and what a tier says for itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.config import parse_stack
from llmstack.config.render import render_swap
from llmstack.config.swap_loader import parse_swap
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from llmstack.config.stack import ServerOptions

HUB = "hf_repo = o/r\nhf_file = f.gguf\n"
FILE = str(Path("/models/models.ini"))


def options(text: str) -> ServerOptions:
    return parse_stack(f"[a]\n{HUB}{text}", FILE).stack.tiers[0].server


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_stack(f"[a]\n{HUB}{text}", FILE)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].line == 4
    return str(caught.value.problems[0])


def argv(text: str, tier: str) -> list[str]:
    """The arguments with which the engine would start a tier, from its own reading."""
    swap = render_swap(parse_stack(text, FILE).stack, llama_server=("llama-server",))
    return shlex.split(parse_swap(swap, "llama-swap.yaml", {}).models[tier].cmd)


def after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_a_tier_overrides_what_default_says_and_inherits_the_rest() -> None:
    """Each tier is started with its own value where it has one."""
    text = (
        f"[DEFAULT]\nn_gpu_layers = 20\nthreads = 6\n[a]\n{HUB}n_gpu_layers = 0\nflash_attn = off\n"
        f"jinja = no\ncache_type_k = f16\ncache_type_v = q4_0\n[b]\n{HUB}"
    )
    a, b = argv(text, "a"), argv(text, "b")
    assert [after(a, flag) for flag in ("-ngl", "-fa", "--threads")] == ["0", "off", "6"]
    assert [after(a, f"--cache-type-{which}") for which in "kv"] == ["f16", "q4_0"]
    assert [after(b, flag) for flag in ("-ngl", "-fa", "--threads")] == ["20", "on", "6"]
    assert "--jinja" in b
    assert "--jinja" not in a
    assert a.count("-ngl") == 1


def test_requests_side_by_side_share_the_window() -> None:
    """ctx_size stays what one request may use."""
    words = argv(f"[a]\n{HUB}ctx_size = 32k\nparallel = 3\n", "a")
    assert after(words, "-np") == "3"
    assert "--kv-unified" in words
    assert after(words, "-c") == "32768"


def test_further_arguments_come_last() -> None:
    """llama-server takes the last of two equal flags."""
    words = argv(f"[a]\n{HUB}sampler = temp=1\nextra_args = --temp 0.5 --grammar 'a b'\n", "a")
    assert words[-4:] == ["--temp", "0.5", "--grammar", "a b"]


def test_local_files_are_relative_to_the_folder_of_the_file() -> None:
    """A projector and a draft model are named as path is."""
    words = argv(f"[a]\n{HUB}mmproj = eye.gguf\ndraft_path = /d/small.gguf\n", "a")
    assert after(words, "--mmproj") == "/models/eye.gguf"
    assert after(words, "-md") == "/d/small.gguf"


def test_a_projector_can_be_switched_off() -> None:
    """The hub's projector is not loaded then."""
    assert "--no-mmproj" in argv(f"[a]\n{HUB}mmproj = off\n", "a")
    assert options("").mmproj is None


def test_variables_reach_the_model_server_only() -> None:
    """One NAME=value a line; the value is taken as it is."""
    text = f"[a]\n{HUB}env = CUDA_VISIBLE_DEVICES=0,1\n  GREETING = a = b\n[b]\n{HUB}"
    swap = parse_swap(
        render_swap(parse_stack(text, FILE).stack, llama_server=("x",)), "llama-swap.yaml", {}
    )
    assert swap.models["a"].env == ("CUDA_VISIBLE_DEVICES=0,1", "GREETING=a = b")
    assert swap.models["b"].env == ()


@pytest.mark.parametrize("flag", ["--port 1", "--host=0.0.0.0", "-m x.gguf", "-c 5", "--alias b"])
def test_arguments_that_llmstack_sets_are_refused(flag: str) -> None:
    """A second --port would be a model that never becomes ready."""
    assert "is set by llmstack. Write " in refusal(f"extra_args = -ngl 1 {flag}\n")


@pytest.mark.parametrize(
    "line", ["extra_args = --api-key x", "env = HF_TOKEN=x", "env = MY_API_KEY=x"]
)
def test_credentials_are_refused_wherever_they_hide(line: str) -> None:
    """The file is shown to other machines."""
    assert "credential" in refusal(f"{line}\n")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("extra_args = 'open", "cannot be split into words"),
        ("parallel = 0", "out of range"),
        ("env = NOTHING", "sets no variable"),
        ("env = 1A=2", "sets no variable"),
        ("env = A=1\n  A=2", "set twice"),
        ("preload = perhaps", "neither true nor false"),
        ("price_input_per_1m = -1", "out of range"),
    ],
)
def test_bad_values_name_line_and_remedy(line: str, message: str) -> None:
    """Each is one problem at its line."""
    assert message in refusal(f"{line}\n")


def test_preload_is_for_fast_tiers_unless_the_file_says_otherwise() -> None:
    """The hook of the generated file names exactly the tiers to be loaded at start."""
    text = f"[a]\n{HUB}role = fast\npreload = no\n[b]\n{HUB}role = agent\npreload = yes\n[c]\n{HUB}"
    rendered = render_swap(parse_stack(text, FILE).stack, llama_server=("x",))
    assert parse_swap(rendered, "llama-swap.yaml", {}).preload == ("b",)
    assert parse_stack(f"[a]\n{HUB}role = fast\n", FILE).stack.tiers[0].preload


def test_prices_are_read() -> None:
    """They are USD for a million tokens."""
    text = "price_input_per_1m = 3\nprice_output_per_1m = 15\nprice_cache_read_per_1m = .3\n"
    prices = parse_stack(f"[a]\n{HUB}{text}", FILE).stack.tiers[0].prices
    assert (prices.input, prices.output, prices.cache_read, prices.cache_write) == (
        3,
        15,
        0.3,
        None,
    )
