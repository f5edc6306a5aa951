"""Model files for tests, made once per test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models.tinywords import write_tinywords

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def tinywords_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a 374 KB model that a llama-server loads in milliseconds."""
    path = tmp_path_factory.mktemp("models") / "tinywords.gguf"
    write_tinywords(path)
    return path
