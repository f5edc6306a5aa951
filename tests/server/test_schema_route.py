"""The configuration's JSON Schema: shipped in the package and served."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from tests.server.wire import ask

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio


async def test_what_is_served_is_what_is_shipped(house: House) -> None:
    shipped = files("llmstack.config") / "data" / "config-schema.json"
    for port in (house.door, house.gateway):
        got = await ask(port, "GET", "/api/config/schema")
        assert got.header("content-type") == "application/schema+json"
        assert got.body == shipped.read_bytes()
    schema = json.loads(got.body)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"models", "groups", "apiKeys", "routing"} <= schema["properties"].keys()
