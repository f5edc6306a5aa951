"""The backend of ``backend = openai``: what it lists, how it is, and over TLS."""

from __future__ import annotations

import importlib
import json
import ssl
from typing import TYPE_CHECKING

import pytest

from llmstack.backends.http_backend import LIST_LIMIT
from llmstack.backends.offered import offered
from llmstack.backends.protocol import Offered, Upstream
from llmstack.config.hosted import BACKENDS, Hosted
from llmstack.errors import BackendFailed
from tests.backends.open_house import ask, backend, open_house, whole
from tests.backends.upstream_server import Fault, UpstreamServer, serving
from tests.http1.test_tls import certificate as certificate  # noqa: PLC0414  a fixture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_the_registry_names_it() -> None:
    module, _, name = BACKENDS["openai"].factory.partition(":")
    factory = getattr(importlib.import_module(module), name)
    async with serving() as server, open_house() as house:
        made = factory(Upstream("coder", Hosted("openai", "up/model", server.url)), house)
        assert json.loads(await whole(await made.open(ask())))["choices"]
        await made.close()
        await made.close()


async def test_models_are_listed_with_the_windows_that_are_told() -> None:
    data = [
        {"id": "vendor/a", "context_length": 128000, "supported_parameters": ["tools"]},
        {"id": "b", "max_model_len": 4096, "architecture": {"input_modalities": ["image"]}},
        {"id": "c", "meta": {"n_ctx": 8192, "n_ctx_train": 32768}, "description": "d"},
        {"id": "a\nb"},
        {"id": 7},
        "bare",
        None,
    ]
    server = UpstreamServer(models={"data": data}, key="k")
    async with serving(server), open_house(environ={"K": "k"}) as house:
        tier = backend(house, server.url, api_key_env="K")
        assert await tier.models() == (
            Offered("vendor/a", 128000, tools=True),
            Offered("b", 4096, vision=True),
            Offered("c", 8192, 32768, description="d"),
            Offered("bare"),
        )
        assert server.last.target == "/v1/models"
        assert server.last.all("authorization") == ["Bearer k"]
        assert tier.health().state == "ok"


async def test_no_list_is_an_error_that_says_whose() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url)
        for fault in (
            Fault(404, b"nothing here"),
            Fault(200, b"<html>"),
            Fault(200, b'{"data": 3}'),
            Fault(200, b"[" + b" " * LIST_LIMIT + b"]"),
        ):
            server.next(fault)
            with pytest.raises(BackendFailed, match="coder"):
                await tier.models()


def test_lists_are_read_whoever_wrote_them() -> None:
    assert offered(b'["a","a","b"]') == (Offered("a"), Offered("b"))
    assert offered(b'{"models":[{"name":"x"}]}') == (Offered("x"),)
    assert offered(b'{"data":[]}') == ()
    for odd in (b"", b"3", b"{}", b"[" * 100_000, b'{"data":{}}', b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011  which one it is makes no difference
            offered(odd)


async def test_health_tells_nothing_before_the_first_answer() -> None:
    async with serving() as server, open_house() as house:
        tier = backend(house, server.url, retries=0)
        assert tier.health().state == "unknown"
        server.next(Fault(500, b"broken"))
        with pytest.raises(BackendFailed):
            await tier.open(ask())
        assert tier.health().state == "unknown"
        assert "500" in tier.health().why
        (await tier.open(ask())).close()
        assert tier.health().state == "ok"


async def test_over_tls(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with serving(tls=tls) as server, open_house() as house:
        with pytest.raises(BackendFailed, match="certificate"):
            await backend(house, server.url, retries=0).open(ask())
        house.pool._tls = ssl.create_default_context(cafile=certificate)
        assert (await whole(await backend(house, server.url).open(ask(stream=True)))).endswith(
            b"data: [DONE]\n\n"
        )
