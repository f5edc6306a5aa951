"""The window that Ollama will really use, from what it tells, whatever it tells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.backends.ollama_models import (
    LONGEST,
    MOST,
    Listed,
    Shown,
    default_window,
    offered,
    read_ps,
    read_show,
    read_tags,
    read_version,
)
from llmstack.server.ollama import VERSION
from tests.backends.ollama_server import Model

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "models",
                    "name",
                    "model",
                    "digest",
                    "details",
                    "family",
                    "capabilities",
                    "parameters",
                    "model_info",
                    "general.architecture",
                    "qwen3.context_length",
                    "context_length",
                    "version",
                    "projector_info",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def window(
    model: Model, *, default: int = 4096, loaded: dict[str, int] | None = None
) -> tuple[int, int]:
    """The effective window and that of the architecture."""
    (listed,) = read_tags({"models": [model.row()]})
    told = offered(listed, read_show(model.show()), {} if loaded is None else loaded, default)
    return told.context, told.trained


def test_b15_the_modelfile_goes_before_what_the_architecture_was_trained_for() -> None:
    assert window(Model("m", trained=131_072, num_ctx=8192)) == (8192, 131_072)


def test_b15_without_a_modelfile_window_it_is_the_servers_and_not_the_architectures() -> None:
    assert window(Model("m", trained=131_072)) == (4096, 131_072)
    assert window(Model("m", trained=131_072), default=32_768) == (32_768, 131_072)


def test_the_loaded_instance_knows_best() -> None:
    model = Model("m", num_ctx=8192)
    assert window(model, loaded={"m": 65_536})[0] == 65_536
    assert window(model, loaded={"other": 65_536})[0] == 8192
    assert window(model, loaded={"m": 0})[0] == 8192, "an Ollama that does not tell it"


def test_no_window_is_longer_than_what_the_model_was_trained_for() -> None:
    assert window(Model("m", trained=512, arch="nomic-bert")) == (512, 512)
    assert window(Model("m", trained=2048, num_ctx=100_000)) == (2048, 2048)


def test_models_of_the_cloud_have_all_of_their_window() -> None:
    assert window(Model("gpt-oss:120b-cloud", remote=True)) == (131_072, 131_072)


def test_b15_of_several_context_lengths_the_architectures_counts() -> None:
    """A vision model tells its projector's too, in no order."""
    info = {
        "clip.context_length": 77,
        "general.architecture": "gemma3",
        "gemma3.context_length": 131_072,
        "gemma3.rope.context_length": 5,
    }
    for order in (info, dict(reversed(info.items()))):
        assert read_show({"model_info": order}).trained == 131_072
    assert read_show({"model_info": {"qwen2.context_length": 9}}).trained == 9
    two = {"a.context_length": 9, "b.context_length": 10}
    assert read_show({"model_info": two}).trained == 0, "no guess"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("num_ctx                        8192", 8192),
        ('stop    "num_ctx 5"\nnum_ctx 16384\ntemperature 0.6', 16_384),
        ("num_ctx 1\nnum_ctx 2048", 2048),
        ("num_ctx many", 0),
        ("num_ctx -1", 0),
        ("num_ctx 99999999999999999999", 0),
        ("", 0),
        (None, 0),
        (["num_ctx 5"], 0),
    ],
)
def test_the_modelfiles_window_is_read_from_its_parameters(parameters: Any, expected: int) -> None:
    assert read_show({"parameters": parameters}).num_ctx == expected


def test_abilities_are_those_that_ollama_tells() -> None:
    told = read_show(Model("m", capabilities=["completion", "vision", "thinking"]).show())
    assert (told.vision, told.tools, told.embedding) == (True, False, False)
    told = read_show(Model("m", capabilities=["embedding"]).show())
    assert told.embedding
    old = Model("m", capabilities=None, arch="nomic-bert")
    assert read_show(old.show()).embedding
    old = Model("m", capabilities=None, more={"projector_info": {"general.architecture": "clip"}})
    assert read_show(old.show()).vision


@pytest.mark.parametrize(
    ("version", "environ", "expected"),
    [
        ((0, 5, 13), {}, 2048),
        ((0, 6, 6), {}, 2048),
        ((0, 6, 7), {}, 4096),
        ((0, 15, 4), {}, 4096),
        ((0, 15, 5), {}, 4096),
        ((0, 0, 0), {}, 4096),
        (None, {}, 4096),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": "64000"}, 64_000),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": '"64000"'}, 64_000),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": "0"}, 4096),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": "-5"}, 4096),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": "a lot"}, 4096),
        ((0, 15, 5), {"OLLAMA_CONTEXT_LENGTH": "9" * 30}, 4096),
    ],
)
def test_the_default_window_is_that_of_the_release(
    version: Any, environ: dict[str, str], expected: int
) -> None:
    assert default_window(version, environ) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"version": "0.15.6"}, (0, 15, 6)),
        ({"version": "0.5.13-rc1"}, (0, 5, 13)),
        ({"version": "v1.2"}, (1, 2, 0)),
        ({"version": "0.0.0"}, (0, 0, 0)),
        ({"version": VERSION}, None),
        ({"version": "v166", "commit": "abc", "build_date": "2026"}, None),
        ({"version": "1.2.3", "commit": "abc", "build_date": "2026"}, None),
        ({"version": "local_abc"}, None),
        ({"version": 15}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_only_an_ollama_is_taken_for_one(told: Any, expected: Any) -> None:
    """This program's own answer, which Ollama's clients accept, is told apart."""
    assert read_version(told)[1] == expected


@given(ANYTHING, ANYTHING, ANYTHING)
def test_whatever_it_answers_nothing_is_raised_and_nothing_odd_comes_out(
    tags: Any, show: Any, running: Any
) -> None:
    loaded, shown = read_ps(running), read_show(show)
    read_version(show)
    for listed in read_tags(tags):
        model = offered(listed, shown, loaded, 4096)
        assert 0 < model.context < LONGEST
        assert 0 <= model.trained < LONGEST
        assert isinstance(model.name, str)
        assert isinstance(model.description, str)


def test_a_list_without_end_is_not_read_to_its_end() -> None:
    rows = [{"name": str(number)} for number in range(MOST + 5)]
    assert len(read_tags({"models": rows})) == MOST


def test_what_is_not_known_is_not_told() -> None:
    model = offered(Listed("m"), None, None, 4096)
    assert model.loaded is None
    assert (model.context, model.trained) == (4096, 0)
    assert offered(Listed("m", remote=True), Shown(), {}, 4096).context == 0
