"""Backends run on asyncio; the loops that the daemon can have are the client's own tests' affair."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """One loop is enough here."""
    return "asyncio"
