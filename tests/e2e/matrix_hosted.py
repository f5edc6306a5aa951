"""The matrix's hosted places: servers on this machine with the protocols of those far away."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.backends import bedrock_server as aws
from tests.backends.ollama_server import FakeOllama, Model
from tests.backends.ollama_server import _json as send_json
from tests.backends.upstream_server import WORDS, Fault, Seen, UpstreamServer, serving
from tests.backends.upstream_server import _chunks as chunks_of
from tests.backends.upstream_server import _stream as send_stream
from tests.backends.upstream_server import _whole as whole_of
from tests.e2e.matrix_wishes import IMAGE, PLAIN, TOOL_ARGUMENTS, TOOL_NAME, TOOLS
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.e2e.matrix_places import Act
    from tests.e2e.matrix_table import Cell
    from tests.e2e.matrix_wishes import Wish
    from tests.e2e.stack import Tiers

PATHS = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
}
WISHES = {"tools": TOOLS, "image": IMAGE}
REFUSAL = "this upstream does not like that"
BROKEN = "the upstream fell over"


@dataclass
class Watched:
    """An act of a server in this process. The functions tell how often something was seen."""

    model: str
    wish: Wish
    answer: str
    asked: Callable[[], int]
    left_by: Callable[[], int]
    body: Callable[[], bytes]
    go_wrong: asyncio.Event
    refusal: str = REFUSAL
    plain: bool = False

    def __post_init__(self) -> None:
        self._asked, self._left = self.asked(), self.left_by()

    async def begun(self) -> None:
        await until(lambda: self.asked() > self._asked)

    async def break_off(self) -> None:
        self.go_wrong.set()

    async def left(self) -> None:
        await until(lambda: self.left_by() > self._left)

    def saw_picture(self) -> bool:
        return base64.b64encode(self.wish.image) in self.body()


class BedrockPlace:
    """A tier on Bedrock."""

    backend = "bedrock"
    plain = False

    def __init__(self, server: aws.Bedrock, model: str) -> None:
        self._server = server
        self._model = model

    @asynccontextmanager
    async def act(self, cell: Cell) -> AsyncIterator[Act]:
        server, wrong = self._server, asyncio.Event()
        server.answers(_converse(cell, wrong))
        try:
            yield Watched(
                self._model,
                WISHES.get(cell.case, PLAIN),
                "Hello you",
                asked=lambda: len(server.calls),
                left_by=lambda: server.left,
                body=lambda: json.dumps(server.calls[-1].body).encode(),
                go_wrong=wrong,
            )
        finally:
            server.answers(aws.Stream())


def _converse(cell: Cell, wrong: asyncio.Event) -> aws.Reply:
    begun = (aws.START, aws.frame("contentBlockDelta", delta={"text": "Hel"}, contentBlockIndex=0))
    use = {"toolUseId": "t1", "name": TOOL_NAME}
    match cell.case, cell.way:
        case "error before", _:
            return aws.Refusal(400, "ValidationException", REFUSAL)
        case "error during", "whole":
            return aws.Refusal(500, "InternalServerException", BROKEN)
        case "error during", _:
            return aws.Stream((*begun, wrong, aws.exception("modelStreamErrorException", BROKEN)))
        case "client leaves", "whole":
            return aws.Stay()
        case "client leaves", _:
            return aws.Stream((*begun, aws.Stay()))
        case "tools", "whole":
            called = {"toolUse": {**use, "input": json.loads(TOOL_ARGUMENTS)}}
            return aws.whole(called, reason="tool_use")
        case "tools", _:
            pieces = [{"toolUse": {"input": TOOL_ARGUMENTS[n : n + 5]}} for n in range(0, 17, 5)]
            block = aws.block(0, *pieces, start={"toolUse": use})
            return aws.Stream((aws.START, *block, *aws.ending("tool_use")))
        case _, "whole":
            return aws.whole()
    return aws.Stream()


class Talkative(UpstreamServer):
    """Says a word before anything goes wrong with its streams."""

    async def _answer(self, seen: Seen, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        if not fault.after:
            return await super()._answer(seen, fault, writer)
        role, word, *others = chunks_of(seen.target, seen.body)
        return await send_stream(writer, [role + word, *others], fault)


class OpenAIPlace:
    """A tier at an OpenAI-compatible server, which speaks chat completions and completions."""

    backend = "openai"
    plain = False

    def __init__(self, server: UpstreamServer, model: str) -> None:
        self._server = server
        self._model = model

    @asynccontextmanager
    async def act(self, cell: Cell) -> AsyncIterator[Act]:
        server, wrong = self._server, asyncio.Event()
        server.next(_fault(cell, wrong))
        yield Watched(
            self._model,
            WISHES.get(cell.case, PLAIN),
            "".join(WORDS),
            asked=lambda: len(server.requests),
            left_by=lambda: server.aborted,
            body=lambda: server.last.body,
            go_wrong=wrong,
        )
        assert not server._faults, "it was asked"


def _fault(cell: Cell, wrong: asyncio.Event) -> Fault:
    match cell.case, cell.way:
        case "error before", _:
            return Fault(status=400, body=_error("invalid_request_error", REFUSAL))
        case "error during", "whole":
            return Fault(status=500, body=_error("server_error", BROKEN), wait=wrong)
        case "error during", _:
            return Fault(pause=wrong, after="cut")
        case "client leaves", "whole":
            return Fault(silent=True)
        case "client leaves", _:
            return Fault(after="silence")
    return Fault()


def _error(kind: str, said: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": said}}


class ScriptedOllama(FakeOllama):
    """An Ollama whose answers call tools, and go wrong as ``fault`` says."""

    fault = Fault()

    async def _infer(self, path: str, body: Any, send: Any) -> None:
        fault, raw = self.fault, json.dumps(body).encode()
        if fault.silent:
            await asyncio.Event().wait()
        if fault.wait:
            await fault.wait.wait()
        if fault.status:
            await send_json(send, fault.body, fault.status)
            return
        if not body.get("stream"):
            await send_json(send, whole_of(path, raw))
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, chunk in enumerate(chunks_of(path, raw)):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if number and fault.after == "silence":
                await asyncio.Event().wait()
            if number and fault.pause:
                await fault.pause.wait()
                raise ConnectionAbortedError
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class OllamaPlace:
    """A model of an Ollama that was found."""

    backend = "ollama"
    plain = False

    def __init__(self, server: ScriptedOllama, model: str) -> None:
        self._server = server
        self._model = model

    @asynccontextmanager
    async def act(self, cell: Cell) -> AsyncIterator[Act]:
        server, wrong = self._server, asyncio.Event()
        server.fault = _fault(cell, wrong)
        try:
            yield Watched(
                self._model,
                WISHES.get(cell.case, PLAIN),
                "".join(WORDS),
                asked=lambda: server.paths().count(PATHS[cell.api]),
                left_by=lambda: server.left,
                body=lambda: json.dumps(server.asked[-1].body).encode(),
                go_wrong=wrong,
            )
        finally:
            server.fault = Fault()


@dataclass
class Elsewhere:
    """The servers that stand for those far away."""

    bedrock: aws.Bedrock
    openai: UpstreamServer
    ollama: ScriptedOllama


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Run them. The Ollama has one model, ``tiny:latest``, that sees and calls tools."""
    can = ["completion", "tools", "vision"]
    ollama = ScriptedOllama(Model("tiny:latest", capabilities=can))
    async with aws.bedrock_server() as bedrock, serving(Talkative()) as upstream:
        await ollama.start()
        try:
            yield Elsewhere(bedrock, upstream, ollama)
        finally:
            await ollama.stop()


def hosted_tiers(there: Elsewhere) -> Tiers:
    """A tier at Bedrock and one at the OpenAI-compatible server."""
    at_once = {"role": "publish", "retries": "0", "ctx_size": "200k"}
    return {
        "far-bedrock": {
            "backend": "bedrock",
            "aws_model_id": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws_region": "eu-west-1",
            "aws_endpoint_url": there.bedrock.base,
            **at_once,
        },
        "far-openai": {
            "backend": "openai",
            "base_url": f"{there.openai.url}/v1",
            "model_name": "served",
            "api_key_env": "FAR_KEY",
            "apis": "chat, completions",
            **at_once,
        },
    }


#: What the tiers' credentials are read from.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": "fake",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "FAR_KEY": "far-secret",
}
