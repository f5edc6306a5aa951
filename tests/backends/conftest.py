"""Fixtures of the backends' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.bedrock_home import aws

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An AWS configuration of this test's own; the directory it lies in."""
    aws(tmp_path, monkeypatch)
    return tmp_path
