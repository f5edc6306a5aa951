"""Both clients and a server for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.client.driver import Driver
from tests.client.swap_server import SwapServer, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[SwapServer]:
    """A server that answers as told."""
    with serving() as state:
        yield state


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Each of the two clients."""
    with Driver(request.param) as made:
        yield made
