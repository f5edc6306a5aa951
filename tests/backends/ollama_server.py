"""A server with Ollama's API: a stand-in for its faults and its timing, not for its models.

Shapes are those of Ollama's API reference and of its OpenAI and Anthropic compatibility. A test
decides when a model has been loaded and when a piece of an answer leaves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.http1 import ServerConnection, Service
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MADE = "2026-01-02T03:04:05.678901234+01:00"
WORDS = ("Hello", " there", ".")


@dataclass
class Model:
    """A model of the library. ``loaded`` is the window of its instance, None without one."""

    name: str
    trained: int = 131_072
    num_ctx: int | None = None
    arch: str = "qwen3"
    capabilities: list[str] | None = field(default_factory=lambda: ["completion", "tools"])
    loaded: int | None = None
    remote: bool = False
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of the manifest: another Modelfile is another digest."""
        return hashlib.sha256(f"{self.name} {self.num_ctx}".encode()).hexdigest()

    @property
    def details(self) -> dict[str, Any]:
        """As in every answer about it."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.arch,
            "families": [self.arch],
            "parameter_size": "8.2B",
            "quantization_level": "Q4_K_M",
        }

    def row(self) -> dict[str, Any]:
        """Its row in ``/api/tags``."""
        remote = {"remote_model": self.name, "remote_host": "https://ollama.com:443"}
        return {
            "name": self.name,
            "model": self.name,
            "modified_at": MADE,
            "size": 5_225_388_164,
            "digest": self.digest,
            "details": self.details,
            **(remote if self.remote else {}),
        }

    def show(self) -> dict[str, Any]:
        """The answer of ``/api/show``."""
        parameters = ['stop                           "<|im_end|>"', "temperature        0.6"]
        if self.num_ctx:
            parameters.insert(0, f"num_ctx                        {self.num_ctx}")
        told = {
            "license": "Apache License\nVersion 2.0",
            "modelfile": f"FROM {self.name}\nPARAMETER num_ctx 1",
            "parameters": "\n".join(parameters),
            "template": "{{ .Prompt }}",
            "details": self.details,
            "model_info": {
                "clip.vision.context_length": 77,
                "general.architecture": self.arch,
                "general.parameter_count": 8_190_735_360,
                f"{self.arch}.context_length": self.trained,
                f"{self.arch}.embedding_length": 4096,
                f"{self.arch}.rope.scaling.original_context_length": 40_960,
                "tokenizer.ggml.tokens": None,
            },
            "modified_at": MADE,
            **self.more,
        }
        if self.capabilities is not None:
            told["capabilities"] = self.capabilities
        return told


@dataclass(frozen=True)
class Asked:
    """A request as it came. ``headers`` are by lower-case name."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeOllama:
    """One server; ``start`` and ``stop`` it as often as a test likes, at one address."""

    def __init__(self, *models: Model, version: str = "0.15.6") -> None:
        self.version = version
        self.models = {model.name: model for model in models}
        self.default = 4096
        self.asked: list[Asked] = []
        self.left = 0
        #: Cleared: answers of that path wait until it is set.
        self.gates: dict[str, asyncio.Event] = {}
        self.waiting: dict[str, int] = {}
        self.most_waiting: dict[str, int] = {}
        #: Answers of that path, instead of the right ones: status and body.
        self.odd: dict[str, tuple[int, bytes]] = {}
        self.cold = asyncio.Event()
        self.cold.set()
        #: Set: every piece of a stream takes one, and leaves when it has it.
        self.pieces: asyncio.Queue[None] | None = None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._service: Service | None = None

    @property
    def base(self) -> str:
        """Where it is, or was."""
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """What was asked."""
        return [asked.path for asked in self.asked]

    async def start(self) -> None:
        """Listen, at the address of the last time."""
        self._service = service = Service(self._answer, 60.0, None)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: ServerConnection(service), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go, in the middle of whatever is being answered."""
        if self._server is None or self._service is None:
            return
        self._server.close()
        for task in tuple(self._service.tasks):
            task.cancel()
        for connection in tuple(self._service.connections):
            connection.shutdown()
        await until(lambda: self._service and not self._service.tasks)
        self._server = None

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        data = b""
        while (message := await receive())["type"] == "http.request":
            data += message["body"]
            if not message["more_body"]:
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path, method = scope["path"], scope["method"]
        body = json.loads(data) if data else None
        self.asked.append(Asked(method, path, headers, body))
        work = asyncio.create_task(self._work(method, path, body, send))
        leaving = asyncio.create_task(receive())
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.left += 1
            else:
                work.result()
        finally:
            work.cancel()
            leaving.cancel()
            await asyncio.gather(work, leaving, return_exceptions=True)

    async def _work(self, method: str, path: str, body: Any, send: Any) -> None:
        await self._gate(path)
        if path in self.odd:
            status, odd = self.odd[path]
            await _send(send, status, odd, "application/json")
        else:
            await self._route(method, path, body, send)

    async def _gate(self, path: str) -> None:
        if gate := self.gates.get(path):
            self.waiting[path] = self.waiting.get(path, 0) + 1
            self.most_waiting[path] = max(self.most_waiting.get(path, 0), self.waiting[path])
            try:
                await gate.wait()
            finally:
                self.waiting[path] -= 1

    async def _route(self, method: str, path: str, body: Any, send: Any) -> None:
        match method, path:
            case (("GET" | "HEAD"), "/"):
                await _send(send, 200, b"Ollama is running", "text/plain; charset=utf-8")
            case "GET", "/api/version":
                await _json(send, {"version": self.version})
            case "GET", "/api/tags":
                await _json(send, {"models": [model.row() for model in self.models.values()]})
            case "GET", "/api/ps":
                await _json(send, {"models": self._running()})
            case "POST", "/api/show":
                model = self.models.get(body.get("model", ""))
                if model is None:
                    await _json(send, {"error": f"model '{body.get('model')}' not found"}, 404)
                else:
                    await _json(send, model.show())
            case "POST", _ if path in self._inference():
                await self._infer(path, body, send)
            case _:
                await _send(send, 404, b"404 page not found", "text/plain")

    def _inference(self) -> set[str]:
        numbers = tuple(int(part) for part in self.version.split("-")[0].split("."))
        paths = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}
        if numbers >= (0, 13, 3):
            paths.add("/v1/responses")
        if numbers >= (0, 14, 0):
            paths.add("/v1/messages")
        return paths

    def _running(self) -> list[dict[str, Any]]:
        numbers = tuple(int(part) for part in self.version.split("-")[0].split("."))
        rows = []
        for model in self.models.values():
            if model.loaded is None:
                continue
            row = {
                "name": model.name,
                "model": model.name,
                "size": 6_654_289_920,
                "digest": model.digest,
                "details": model.details,
                "expires_at": "2318-01-02T03:04:05.678901234+01:00",
                "size_vram": 6_654_289_920,
            }
            if numbers >= (0, 11, 0):
                row["context_length"] = model.loaded
            rows.append(row)
        return rows

    async def _infer(self, path: str, body: Any, send: Any) -> None:
        name = body.get("model", "")
        model = self.models.get(name) or self.models.get(f"{name}:latest")
        if model is None:
            message = f"model '{name}' not found"
            error: dict[str, Any] = {"type": "not_found_error", "message": message}
            if path == "/v1/messages":
                await _json(send, {"type": "error", "error": error}, 404)
            else:
                await _json(send, {"error": {**error, "param": None, "code": None}}, 404)
            return
        await self.cold.wait()
        if model.loaded is None:
            model.loaded = min(model.num_ctx or self.default, model.trained)
        if path == "/v1/embeddings":
            vector = {"object": "embedding", "embedding": [0.5, -0.25], "index": 0}
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            told = {"object": "list", "data": [vector], "model": name, "usage": usage}
            await _json(send, told)
        elif body.get("stream"):
            await self._stream(path, name, send)
        else:
            await _json(send, _whole(path, name))

    async def _stream(self, path: str, name: str, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in _pieces(path, name):
            if self.pieces is not None:
                await self.pieces.get()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _whole(path: str, name: str) -> dict[str, Any]:
    text = "".join(WORDS)
    if path == "/v1/messages":
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": name,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 3},
        }
    if path == "/v1/responses":
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        message = {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [part],
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": name,
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {
                "input_tokens": 10,
                "output_tokens": 3,
                "total_tokens": 13,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0},
            },
        }
    chat = path == "/v1/chat/completions"
    said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return {
        "id": "chatcmpl-1" if chat else "cmpl-1",
        "object": "chat.completion" if chat else "text_completion",
        "created": 1,
        "model": name,
        "system_fingerprint": "fp_ollama",
        "choices": [{"index": 0, **said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }


def _pieces(path: str, name: str) -> list[bytes]:
    if path == "/v1/messages":
        return _messages(name)
    chat = path == "/v1/chat/completions"
    base = {
        "id": "chatcmpl-1" if chat else "cmpl-1",
        "object": "chat.completion.chunk" if chat else "text_completion",
        "created": 1,
        "model": name,
        "system_fingerprint": "fp_ollama",
    }
    events: list[dict[str, Any]] = []
    for word in (*WORDS, ""):
        said = {"delta": {"role": "assistant", "content": word}} if chat else {"text": word}
        end = None if word else "stop"
        events.append({**base, "choices": [{"index": 0, **said, "finish_reason": end}]})
    return [
        *(b"data: " + json.dumps(one).encode() + b"\n\n" for one in events),
        b"data: [DONE]\n\n",
    ]


def _messages(name: str) -> list[bytes]:
    usage = {"input_tokens": 0, "output_tokens": 0}
    begun = {**_whole("/v1/messages", name), "content": [], "stop_reason": None, "usage": usage}
    text = {"type": "text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": text},
    ]
    for word in WORDS:
        delta = {"type": "text_delta", "text": word}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    usage = {"input_tokens": 10, "output_tokens": 3}
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in events]


async def _json(send: Any, told: Any, status: int = 200) -> None:
    await _send(send, status, json.dumps(told).encode(), "application/json; charset=utf-8")


async def _send(send: Any, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@asynccontextmanager
async def running(*models: Model, version: str = "0.15.6") -> AsyncIterator[FakeOllama]:
    """An Ollama that is up, and down in the end."""
    server = FakeOllama(*models, version=version)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
