"""Where downloads are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.hub.data_dir import data_dir


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/home/u"}, "linux", "/home/u/.local/share/llmstack"),
        ({"HOME": "/home/u"}, "darwin", "/home/u/.local/share/llmstack"),
        ({"HOME": "/home/u", "XDG_DATA_HOME": "/data"}, "linux", "/data/llmstack"),
        ({"HOME": "/h", "XDG_DATA_HOME": "data"}, "linux", "/h/.local/share/llmstack"),
        ({"LOCALAPPDATA": "/Users/u/Local"}, "win32", "/Users/u/Local/llmstack"),
        ({"LLMSTACK_DATA_DIR": "/big", "XDG_DATA_HOME": "/data"}, "linux", "/big"),
        ({"LLMSTACK_DATA_DIR": "/big", "LOCALAPPDATA": "/L"}, "win32", "/big"),
    ],
)
def test_the_most_specific_setting_wins(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    assert data_dir(environ, platform) == Path(expected)


def test_it_is_absolute_and_may_start_at_home() -> None:
    assert data_dir({"LLMSTACK_DATA_DIR": "here"}) == Path.cwd() / "here"
    assert data_dir({"LLMSTACK_DATA_DIR": "~/x"}) == Path.home() / "x"
    assert data_dir({}).is_absolute()
