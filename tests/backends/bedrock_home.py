"""A house with tiers on the local Bedrock, in an AWS configuration of its own."""

from __future__ import annotations

import asyncio
import json
import os
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.backends.bedrock import Bedrock, bedrock
from llmstack.backends.protocol import Answer, Ask, House, Upstream
from llmstack.config.hosted import Hosted
from llmstack.config.stack import Sampler
from llmstack.http1 import Pool
from tests.backends.bedrock_server import Bedrock as Server
from tests.backends.bedrock_server import bedrock_server
from tests.http1.raw_server import PATIENCE, until

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
CHAT, COMPLETIONS, MESSAGES, RESPONSES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/messages",
    "/v1/responses",
)
CONFIG = """\
[profile work]
region = eu-central-1

[profile nowhere]
output = json

[default]
region = eu-west-1
"""
CREDENTIALS = """\
[work]
aws_access_key_id = AKIAWORK
aws_secret_access_key = fake

[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = fake
"""


def aws(tmp_path: Path, patch: pytest.MonkeyPatch) -> None:
    """Make the files of ``tmp_path`` the whole AWS configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    patch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        # Nothing listens there: what asks it fails.
        patch.setenv(name, "http://127.0.0.1:9")


@dataclass
class Home:
    """A house, its server and its backends. ``now`` moves when a test says so."""

    server: Server
    now: float = 1000.0
    backends: list[Bedrock] = field(default_factory=list)
    house: House = field(init=False)

    def __post_init__(self) -> None:
        """The house that the backends share."""
        self.house = House(Pool(), os.environ, lambda: self.now, asyncio.sleep, random.random)

    def tier(self, sampler: Sampler | None = None, **hosted: Any) -> Bedrock:
        """A tier on the server, of the profile ``work`` unless it says otherwise."""
        where = {
            "model": CLAUDE,
            "profile": "work",
            "endpoint_url": self.server.base,
            "retries": 0,
            "first_byte_timeout": PATIENCE,
        }
        upstream = Upstream(
            "code-ultra", Hosted("bedrock", **(where | hosted)), sampler or Sampler()
        )
        made = bedrock(upstream, self.house)
        self.backends.append(made)
        return made


@asynccontextmanager
async def home(tls: ssl.SSLContext | None = None) -> AsyncIterator[Home]:
    """A house with a server; everything is closed in the end, and nothing is left."""
    before = asyncio.all_tasks()
    async with bedrock_server(tls) as server:
        home = Home(server)
        try:
            yield home
        finally:
            for backend in home.backends:
                await backend.close()
                await backend.close()
            home.house.pool.close()
        await until(lambda: not server.connections and not server.open)
    assert asyncio.all_tasks() <= before


def ask(path: str = CHAT, *, model: str = CLAUDE, **body: Any) -> Ask:
    """A request; ``body`` over the least that its API wants."""
    least: dict[str, Any] = {
        CHAT: {"messages": [{"role": "user", "content": "hi"}]},
        COMPLETIONS: {"prompt": "hi"},
        RESPONSES: {"input": "hi"},
    }.get(path, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 100})
    said = {"model": "code-ultra"} | least | body
    raw = json.dumps(said).encode()
    return Ask("POST", path, path.encode(), [], raw, model, "code-ultra", bool(said.get("stream")))


async def read(answer: Answer) -> bytes:
    """The rest of a body; the answer is closed."""
    pieces = []
    try:
        async with asyncio.timeout(PATIENCE):
            while piece := await answer.read():
                pieces.append(piece)
    finally:
        answer.close()
    return b"".join(pieces)


async def said(backend: Bedrock, request: Ask) -> Any:
    """The JSON of a whole answer."""
    return json.loads(await read(await backend.open(request)))
