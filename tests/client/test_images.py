"""Images come as bytes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.client import APIError, Image, ImageRequest
from llmstack.errors import BadAnswer
from tests.client.swap_server import IMAGES

if TYPE_CHECKING:
    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer

PNG = b"\x89PNG\r\n\x1a\n and so on"


def coded(*images: bytes) -> dict[str, Any]:
    rows = [{"b64_json": base64.b64encode(image).decode()} for image in images]
    return {"created": 1, "data": rows}


def test_an_image_is_asked_for_as_base64_and_given_as_bytes(
    server: SwapServer, driver: Driver
) -> None:
    server.answer(IMAGES, coded(PNG, b"\xff\xd8\xff\xe0"))
    request = ImageRequest("a cat", "sd/turbo", n=2, size="64x64", extra={"seed": 1})
    result = driver.do(driver.new(server.url, "key").images.generate(request))
    assert result.images == (Image(PNG, "image/png"), Image(b"\xff\xd8\xff\xe0", "image/jpeg"))
    assert result.data == {"created": 1}
    assert (server.last.method, server.last.path) == ("POST", IMAGES)
    assert server.last.bearer == "Bearer key"
    assert server.last.body == {
        "model": "sd/turbo",
        "prompt": "a cat",
        "n": 2,
        "size": "64x64",
        "seed": 1,
        "response_format": "b64_json",
    }


def test_the_format_cannot_be_asked_for_otherwise(server: SwapServer, driver: Driver) -> None:
    server.answer(IMAGES, coded(PNG))
    request = ImageRequest("a cat", "sd", extra={"response_format": "url", "model": "other"})
    driver.do(driver.new(server.url).images.generate(request))
    expected = {"model": "sd", "prompt": "a cat", "n": 1, "response_format": "b64_json"}
    assert server.last.body == expected


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"something", "image/png"),
    ],
)
def test_an_image_is_a_part_of_a_chat(
    server: SwapServer, driver: Driver, data: bytes, mime: str
) -> None:
    server.answer(IMAGES, coded(data))
    client = driver.new(server.url)
    (image,) = driver.do(client.images.generate(ImageRequest("a cat", "sd"))).images
    content = [{"type": "text", "text": "what is it?"}, image.part()]
    driver.do(client.chat("vision").create([{"role": "user", "content": content}]))
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    sent = server.last.body["messages"][0]["content"][1]
    assert sent == {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"data": None},
        {},
        [],
        b"no json",
        {"data": [{}]},
        {"data": [{"b64_json": ""}]},
        {"data": [{"b64_json": "!!!!"}]},
        {"data": [{"b64_json": "abc"}]},
        {"data": [{"b64_json": "é==="}]},
        {"data": [{"b64_json": 5}]},
        {"data": [{"url": "http://127.0.0.1:9/cat.png"}]},
        {"data": [{"b64_json": "QUJD"}, {"b64_json": None}]},
    ],
)
def test_no_image_or_no_base64_is_an_error(server: SwapServer, driver: Driver, answer: Any) -> None:
    server.answer(IMAGES, answer)
    with pytest.raises(BadAnswer):
        driver.do(driver.new(server.url).images.generate(ImageRequest("a cat", "sd")))


def test_a_refusal_is_the_same_error_as_elsewhere(server: SwapServer, driver: Driver) -> None:
    server.answer(IMAGES, {"error": "no such model"}, 404)
    with pytest.raises(APIError) as raised:
        driver.do(driver.new(server.url).images.generate(ImageRequest("a cat", "sd")))
    assert (raised.value.kind, raised.value.message) == ("not_found", "no such model")


def test_pictures_are_not_printed() -> None:
    assert "PNG" not in repr(Image(PNG))
