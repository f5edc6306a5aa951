"""What loads and prompts take is learned from what happens, and survives a restart."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest

from llmstack.activity import ActivityRow
from llmstack.activity.tally import NOTHING
from llmstack.engine import ModelChanged, State
from llmstack.server.speeds import Speed, Speeds

if TYPE_CHECKING:
    from pathlib import Path


def loaded(seconds: float, model: str = "coder") -> ModelChanged:
    return ModelChanged(model, State.READY, "ready", seconds)


def row(speed: float, tokens: int = 1000, backend: str = "local") -> ActivityRow:
    usage = msgspec.structs.replace(NOTHING, input_tokens=tokens, prompt_per_second=speed)
    return ActivityRow("coder", "/v1/chat/completions", 200, 0, usage=usage, backend=backend)


def test_new_measurements_move_the_mean(tmp_path: Path) -> None:
    speeds = Speeds(tmp_path / "speeds.json")
    speeds.changed(loaded(10.0))
    speeds.changed(loaded(20.0))
    speeds.answered(row(400.0))
    assert speeds.of("coder") == Speed(pytest.approx(14.0), 400.0, loads=2)
    assert speeds.of("other") == Speed()


def test_what_says_little_about_speed_is_passed_over(tmp_path: Path) -> None:
    speeds = Speeds(tmp_path / "speeds.json")
    speeds.changed(ModelChanged("coder", State.STARTING, "starting", 99.0))
    speeds.answered(row(400.0, tokens=5))
    speeds.answered(row(400.0, backend="openai"))
    speeds.answered(row(-1.0))
    assert speeds.of("coder") == Speed()


def test_a_prompt_that_was_cached_says_little_about_speed(tmp_path: Path) -> None:
    """vLLM's speed is that of the few tokens that were read, beside all the overhead."""
    speeds = Speeds(tmp_path / "speeds.json")
    usage = msgspec.structs.replace(
        NOTHING, input_tokens=8000, cache_tokens=7990, prompt_per_second=50.0
    )
    answered = ActivityRow("coder", "/v1/chat/completions", 200, 0, usage=usage, backend="local")
    speeds.answered(answered)
    assert speeds.of("coder") == Speed()
    usage = msgspec.structs.replace(usage, input_tokens=1000, apart_tokens=7990)  # llama-server
    speeds.answered(msgspec.structs.replace(answered, usage=usage))
    assert speeds.of("coder") == Speed(prefill=50.0)


@pytest.mark.parametrize("speed", [float("inf"), float("nan"), 1e300, -3.0, 0.0])
def test_a_speed_that_cannot_be_is_not_learned(tmp_path: Path, speed: float) -> None:
    """It would stay in the mean for good: a model would seem to read for nothing."""
    speeds = Speeds(tmp_path / "speeds.json")
    speeds.answered(row(speed))
    assert speeds.of("coder") == Speed()


def test_the_next_daemon_knows(tmp_path: Path) -> None:
    """All but the count of loads, which is of this daemon's processes."""
    path = tmp_path / "speeds.json"
    speeds = Speeds(path)
    speeds.changed(loaded(10.0))
    speeds.answered(row(400.0))
    speeds.save()
    assert Speeds(path).of("coder") == Speed(10.0, 400.0)


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{}", '{"version": 1}', '{"version": 2, "models": {}}', "[" * 100_000, "\0"],
)
def test_a_damaged_file_is_a_warning(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "speeds.json"
    path.write_text(text)
    with caplog.at_level(logging.WARNING, "llmstack"):
        assert Speeds(path).of("coder") == Speed()
    assert "measured afresh" in caplog.text


def test_odd_numbers_in_the_file_count_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    odd = {"a": {"load_seconds": -1, "prefill": True}, "b": 3, "c": {"load_seconds": 2}}
    path.write_text(json.dumps({"version": 1, "models": odd}))
    speeds = Speeds(path)
    assert [speeds.of(name) for name in "abc"] == [Speed(), Speed(), Speed(2.0)]


def test_a_file_that_cannot_be_written_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    speeds = Speeds(tmp_path / "gone" / "speeds.json")
    speeds.changed(loaded(10.0))
    (tmp_path / "gone").write_text("a file")
    with caplog.at_level(logging.WARNING, "llmstack"):
        speeds.save()
    assert "cannot be kept" in caplog.text
    assert speeds.of("coder").load_seconds == 10.0
