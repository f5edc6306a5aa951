"""Images from text, apart from chat: bytes come back, never addresses to fetch."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.client.calls import Call, read_json
from llmstack.errors import BadAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.client.calls import Send, SendAsync

_PATH = "/v1/images/generations"
#: First bytes of what image models give.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its bytes and what they are, such as ``image/png``."""

    bytes: bytes = field(repr=False)
    mime: str = "image/png"

    def part(self) -> dict[str, Any]:
        """It as a part of a chat message's ``content``."""
        data = base64.b64encode(self.bytes).decode()
        return {"type": "image_url", "image_url": {"url": f"data:{self.mime};base64,{data}"}}


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What to draw. ``size`` is as ``512x512``; None leaves it to the server.

    ``extra`` goes into the request's body as it is, for what a server knows beyond this.
    """

    prompt: str
    model: str
    n: int = 1
    size: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def call(self) -> Call[ImageResult]:
        """The request for it."""
        body = {**self.extra, "model": self.model, "prompt": self.prompt, "n": self.n}
        if self.size is not None:
            body["size"] = self.size
        return Call("POST", _PATH, _read, {**body, "response_format": "b64_json"})


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One image at least. ``data`` is the whole answer without its images."""

    images: tuple[Image, ...]
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Images:
    """The images of a ``LlamaSwap``."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def generate(self, request: ImageRequest, *, timeout: float | None = None) -> ImageResult:
        """Draw ``request``.

        Raises:
            APIError: the server refuses.
            BadAnswer: there is no image in its answer, or one that is not base64.
        """
        return self._send(request.call(), timeout)


class AsyncImages:
    """The images of an ``AsyncLlamaSwap``."""

    def __init__(self, send: SendAsync) -> None:
        self._send = send

    async def generate(
        self,
        request: ImageRequest,
        *,
        timeout: float | None = None,
    ) -> ImageResult:
        """As ``Images.generate``."""
        return await self._send(request.call(), timeout)


def _read(content: bytes) -> ImageResult:
    told = read_json(content)
    rows = told.get("data") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not rows:
        raise BadAnswer("the server answered without an image")
    rest = {name: value for name, value in told.items() if name != "data"}
    return ImageResult(tuple(_image(row) for row in rows), rest)


def _image(row: object) -> Image:
    text = row.get("b64_json") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text:
        raise BadAnswer("the server answered with an image that has no b64_json")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAnswer("the server's image is not base64", why=str(error)) from error
    return Image(data, _mime(data))


def _mime(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if data.startswith(magic)), "image/png")
