"""Pages of other origins: what a browser asks first, and who may read the list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.wire import ask

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio


@pytest.mark.top40(27, "204 everywhere")
@pytest.mark.parametrize(
    "path", ["/", "/v1/chat/completions", "/nothing", "/upstream/smart/x", "/running"]
)
async def test_every_preflight_is_allowed(house: House, path: str) -> None:
    """Top 40, number 27."""
    for port in (house.gateway, house.door):
        got = await ask(port, "OPTIONS", path)
        assert (got.status, got.body) == (204, b"")
        assert got.header("access-control-allow-origin") == "*"
        assert (
            got.header("access-control-allow-methods") == "GET, POST, PUT, PATCH, DELETE, OPTIONS"
        )
        assert (
            got.header("access-control-allow-headers")
            == "Content-Type, Authorization, Accept, X-Requested-With"
        )
        assert got.header("access-control-max-age") == "86400"


async def test_requested_headers_are_allowed_if_they_are_names(house: House) -> None:
    asked = [("Access-Control-Request-Headers", "x-api-key,bad name, x-other ,<script>")]
    got = await ask(house.door, "OPTIONS", "/v1/models", headers=asked)
    assert got.header("access-control-allow-headers") == "x-api-key, x-other"


@pytest.mark.top40(24, "Origin is echoed")
async def test_the_list_of_models_may_be_read_by_the_page_that_asks(house: House) -> None:
    """Top 40, number 24: on the engine's port the origin is echoed there and nowhere else."""
    origin = [("Origin", "https://page.test")]
    for port in (house.gateway, house.door):
        for path in ("/v1/models", "/models"):
            got = await ask(port, "GET", path, headers=origin)
            assert got.header("access-control-allow-origin") == "https://page.test"
        got = await ask(port, "GET", "/running", headers=origin)
        allowed = ["https://page.test"] if port == house.gateway else []
        assert got.all("access-control-allow-origin") == allowed
        assert (await ask(port, "GET", "/v1/models")).all("access-control-allow-origin") == []
