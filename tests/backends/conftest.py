"""Backends run on asyncio; other loops are the affair of the HTTP client's own tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough here."""
    return "asyncio"
