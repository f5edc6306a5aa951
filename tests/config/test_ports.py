"""Which port a model gets, and keeps when the configuration is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from llmstack.config.ports import Ports
from llmstack.config.swap_merge import load_sources

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.swap import SwapConfig

names = st.sets(st.text("abc", min_size=1, max_size=3), max_size=12)


@given(first=names, second=names)
def test_models_keep_their_ports_and_nobody_gets_one_that_was_anothers(
    first: set[str], second: set[str]
) -> None:
    before, after = Ports(5800), Ports(5800)
    for name in sorted(first):
        before.give(name)
    assert list(before.given.values()) == list(range(5800, 5800 + len(first)))
    after = Ports(5800, before.given)
    for name in sorted(second):
        after.give(name)
    assert all(after.given[name] == before.given[name] for name in first & second)
    assert len(set(after.given.values())) == len(second)
    assert not {after.given[name] for name in second - first} & set(before.given.values())


def read(tmp_path: Path, text: str, before: SwapConfig | None = None) -> SwapConfig:
    (tmp_path / "config.yaml").write_text(text)
    return load_sources(tmp_path / "config.yaml", None, {}, before)


def test_a_model_that_sorts_first_does_not_change_the_commands_of_the_others(
    tmp_path: Path,
) -> None:
    model = "  {}:\n    cmd: serve --port ${{PORT}}\n".format
    old = read(tmp_path, "models:\n" + model("b") + model("c"))
    new = read(tmp_path, "models:\n" + model("a") + model("b") + model("c"), old)
    assert [new.models[name].cmd[-4:] for name in "abc"] == ["5802", "5800", "5801"]
    assert new.models["b"].proxy == "http://localhost:5800"
    third = read(tmp_path, "models:\n" + model("c") + model("d"), new)
    assert third.ports == {"c": 5801, "d": 5803}


def test_another_start_port_is_obeyed(tmp_path: Path) -> None:
    text = "startPort: {}\nmodels:\n  a:\n    cmd: serve --port ${{PORT}}\n".format
    old = read(tmp_path, text(6000))
    assert read(tmp_path, text(7000), old).ports == {"a": 7000}
