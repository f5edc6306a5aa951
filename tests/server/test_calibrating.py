"""What answers teach of tokenizers is kept between runs."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from llmstack.activity.tally import Usage
from llmstack.context.calibration import UNKNOWN
from llmstack.context.history import History, Unit
from llmstack.dialects.translation.reply import Usage as Charged
from llmstack.server.calibrating import Calibrating
from tests.server.wire import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

HISTORY = History("chat", (Unit("user", 0, 1, 20_000),), 0, 0)


async def test_what_was_learned_is_there_in_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "state" / "calibrations.json"
    first = Calibrating(path)
    assert first.of("one") is UNKNOWN
    assert first.learn("one", HISTORY, Charged(input=5000))
    await first.close()
    second = Calibrating(path)
    assert second.of("one") == first.of("one") != UNKNOWN
    assert second.estimate("one", HISTORY).total == pytest.approx(5000, rel=0.1)
    await second.close()


async def test_tokens_that_came_out_of_a_cache_count(tmp_path: Path) -> None:
    """llama-server's ``timings`` tell what was processed, with the cached tokens apart."""
    cached, whole = Calibrating(None), Calibrating(None)
    assert cached.learn("one", HISTORY, Usage(input_tokens=12, apart_tokens=4988, found=True))
    whole.learn("one", HISTORY, Usage(input_tokens=5000, found=True))
    assert cached.of("one") == whole.of("one")
    assert not whole.learn("one", HISTORY, Usage())


async def test_news_are_written_after_a_while_and_not_for_each_answer(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.json"
    known = Calibrating(path, delay=0.01)
    known.learn_exactly("one", HISTORY, 5000)
    assert not path.exists()
    await eventually(path.exists, "nothing was written")
    await known.close()


async def test_nothing_is_written_without_news(tmp_path: Path) -> None:
    path = tmp_path / "calibrations.json"
    known = Calibrating(path)
    assert not known.learn_exactly("one", HISTORY, 0)
    await known.close()
    assert not path.exists()


async def test_a_damaged_file_is_a_warning_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "calibrations.json"
    path.write_text("{")
    with caplog.at_level(logging.WARNING):
        known = Calibrating(path)
    assert "learned afresh" in caplog.text
    known.learn_exactly("one", HISTORY, 5000)
    await known.close()
    assert Calibrating(path).of("one") is not UNKNOWN


async def test_a_full_disk_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with caplog.at_level(logging.WARNING):
        known = Calibrating(tmp_path / "state" / "calibrations.json", delay=0)
        known.learn_exactly("one", HISTORY, 5000)
        await asyncio.sleep(0)
        await known.close()
    assert "cannot be kept" in caplog.text
