"""A configuration with one of everything that has a name, played by echoing servers."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmstack.config.go_regex import compile_go
from llmstack.config.swap import Capabilities, Filters, Peer, Profile, Selector, Timeouts
from tests.server.conftest import free_ports
from tests.server.house import House, fake, running, side_by_side
from tests.server.raw_upstream import RawUpstream
from tests.server.wire import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.wire import Answer

JSON = [("Content-Type", "application/json; charset=utf-8")]
FORM = [("Content-Type", "application/x-www-form-urlencoded")]
MULTIPART = [("Content-Type", "multipart/form-data; boundary=xyz")]

SELECTORS = (
    Selector("pinned", "pin", ("away/far", "plain"), description="always far"),
    Selector("warmest", "warm", ("plain", "filtered")),
    Selector("spill", "spillover", ("plain", "filtered", "away/far"), spillover=1, name="Spill"),
    Selector("hidden", "pin", ("plain",), unlisted=True),
)
PROFILES = (
    Profile("work", {"new": "plain", "filtered": None, "sel": "pinned", "a/b": "plain"}, "at work"),
    Profile("idle", {"other": "plain"}),
)


@asynccontextmanager
async def surface(root: Path) -> AsyncIterator[House]:
    """``plain``, ``filtered``, ``org/deep``, ``comfyui_auto``; peers ``away`` and ``gone``.

    The peer ``away`` is the model ``echo``, which the caller keeps loaded. The peer ``late``, whose
    model is ``slow``, says nothing unless it is played.
    """
    ports = free_ports(6)
    slow = RawUpstream()
    filtered = Filters(
        strip_params=("secret.deep",),
        set_params={"temperature": 0.5},
        set_params_by_id={"loud": {"volume": 11}},
    )
    swap = side_by_side(
        fake(
            "plain", ports[0], "--print", "8080-secret", aliases=("simple",), metadata={"mine": 1}
        ),
        fake("filtered", ports[1], aliases=("loud",), filters=filtered, use_model_name="real"),
        fake(
            "org/deep",
            ports[2],
            ignore_websockets=True,
            capabilities=Capabilities(("text", "image"), ("text",), tools=True, context=4096),
            metadata={"architecture": "dropped", "kept": True, "odd": [float("nan")]},
        ),
        fake("comfyui_auto", ports[3], unlisted=True),
        fake("echo", ports[4], unlisted=True),
    )
    away = Peer(
        "away",
        f"http://127.0.0.1:{ports[4]}/base",
        ("far", "plain"),
        api_key="peer-key",
        filters=Filters(set_params={"top_k": 3}),
    )
    gone = Peer("gone", f"http://127.0.0.1:{ports[5]}", ("lost", "org/x"))
    late = Peer(
        "late",
        f"http://127.0.0.1:{slow.port}",
        ("slow",),
        timeouts=Timeouts(response_header=1),
    )
    deep = replace(swap.models["org/deep"], name="Deep")
    config = replace(
        swap,
        models={**swap.models, "org/deep": deep},
        include_aliases_in_list=False,
        peers={peer.id: peer for peer in (away, gone, late)},
        selectors={selector.id: selector for selector in SELECTORS},
        profiles={profile.name: profile for profile in PROFILES},
        ignore_paths=(compile_go(r"\.(js|json)$"),),
        secrets=frozenset({"8080-secret"}),
    )
    await slow.listen()
    try:
        async with running(root, config) as house:
            house.raw = {"late": slow}
            yield house
    finally:
        await slow.close()


def headers_of(answer: Answer) -> dict[str, str]:
    """The headers of an echoed request."""
    return {name.lower(): value for name, value in answer.json()["headers"]}


def echoed(answer: Answer) -> Any:
    """The JSON body of an echoed request."""
    return json.loads(answer.json()["body"])


async def activate(house: House, name: str | None) -> None:
    """Switch to a profile."""
    got = await ask(house.door, "PUT", "/api/profiles/active", {"name": name})
    assert got.json() == {"active": name}


def multipart(model: str) -> bytes:
    """A form with a file and a model; its type is ``MULTIPART``."""
    return (
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\nX-Part: kept\r\n\r\nRIFF\r\n"
        b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
        + model.encode()
        + b"\r\n--xyz--\r\n"
    )
