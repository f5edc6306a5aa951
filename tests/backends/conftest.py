"""Fixtures of the backends' tests.

They run on asyncio; the loops that the daemon can have are the client's own tests' affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backends.bedrock_home import aws

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough here."""
    return "asyncio"


@pytest.fixture
def amazon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An AWS configuration of this test's own; the directory it lies in."""
    aws(tmp_path, monkeypatch)
    return tmp_path
