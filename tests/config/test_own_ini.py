"""Where there is no models.ini, the way to one is the same whichever command was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.config.own_ini import own_models_ini
from llmstack.config.workdir import WorkDir
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_environment_names_another_file(tmp_path: Path) -> None:
    named = tmp_path / "other.ini"
    named.write_text("")
    work = WorkDir(tmp_path)
    assert own_models_ini(work, {"LLMSTACK_MODELS_INI": str(named)}) == named


def test_none_names_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match="llmstack setup"):
        own_models_ini(WorkDir(tmp_path), {})


def test_a_thin_client_hears_whose_models_it_uses(tmp_path: Path) -> None:
    work = WorkDir(tmp_path)
    work.state.mkdir()
    work.default_channel.write_text("external http://10.0.0.1:10101\n")
    with pytest.raises(DaemonError, match=r"thin client of http://10\.0\.0\.1:10101"):
        own_models_ini(work, {})
