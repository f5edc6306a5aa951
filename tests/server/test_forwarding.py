"""What goes to a model process, and what comes back: unchanged, down to the byte."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.server.raw_upstream import JSON_HEAD, Peer, RawRequest
from tests.server.wire import Wire, ask, chat

if TYPE_CHECKING:
    from tests.server.house import House
    from tests.server.raw_upstream import RawUpstream

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


async def plain(peer: Peer, request: RawRequest) -> None:
    await peer.reply()


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb/c%20d",
        "/workflows%2Fa.json?x=%26&y=1;z&&",
        "/a/../b/./c",
        "//double//slash/",
        "/%E2%9C%93?q=%E2%9C%93",
        "/?",
        "/semi;colon=1,2/@:!$&'()*+",
    ],
)
async def test_the_raw_path_and_query_reach_the_model(
    house: House, raw: RawUpstream, target: str
) -> None:
    """W23: percent-escapes stay escaped and the query is not dropped."""
    async with raw.play(plain):
        for port in (house.gateway, house.door):
            await ask(port, "GET", f"/upstream/raw{target}")
    assert [request.target.rstrip("?") for request in raw.requests] == [target.rstrip("?")] * 2


async def test_a_completion_keeps_its_query(house: House, raw: RawUpstream) -> None:
    async with raw.play(plain):
        await ask(house.gateway, "POST", f"{CHAT}?api-version=1%2F2&x=", chat("raw"))
    assert raw.requests[0].target == f"{CHAT}?api-version=1%2F2&x="


@pytest.mark.parametrize("model", ["author/model", "author%2Fmodel"])
async def test_a_model_id_may_hold_slashes(house: House, model: str) -> None:
    answer = await ask(house.gateway, "GET", f"/upstream/{model}/x%2Fy?z=1")
    assert answer.json()["path"] == "/x%2Fy?z=1"


async def test_repeated_request_headers_stay_apart_and_in_order(
    house: House, raw: RawUpstream
) -> None:
    sent = [("X-Tag", "one"), ("Accept", "text/a"), ("X-Tag", "two, three"), ("Accept", "text/b")]
    async with raw.play(plain):
        await ask(house.gateway, "POST", CHAT, chat("raw"), sent)
    (request,) = raw.requests
    assert request.all(b"x-tag") == [b"one", b"two, three"]
    assert request.all(b"accept") == [b"text/a", b"text/b"]


async def test_no_header_is_invented(house: House, raw: RawUpstream) -> None:
    """W23: above all no Accept-Encoding, which would bring gzip to who did not ask for it."""
    body = json.dumps(chat("raw")).encode()
    async with raw.play(plain):
        await ask(house.gateway, "POST", CHAT, body)
        await ask(house.gateway, "GET", "/upstream/raw/x")
    with_body, without = ([name.lower() for name, _ in one.headers] for one in raw.requests)
    assert sorted(with_body) == [b"content-length", b"host"]
    assert without == [b"host"]


async def test_a_wish_for_identity_stays_one(house: House, raw: RawUpstream) -> None:
    async with raw.play(plain):
        await ask(house.gateway, "POST", CHAT, chat("raw"), [("Accept-Encoding", "identity")])
    assert raw.requests[0].all(b"accept-encoding") == [b"identity"]


async def test_a_gzip_answer_passes_untouched(house: House, raw: RawUpstream) -> None:
    packed = gzip.compress(b'{"ok": true}')

    async def answer(peer: Peer, request: RawRequest) -> None:
        await peer.reply(packed, JSON_HEAD + b"Content-Encoding: gzip\r\n")

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"), [("Accept-Encoding", "gzip")])
    assert got.body == packed
    assert got.header("content-encoding") == "gzip"
    assert got.header("content-length") == str(len(packed))


async def test_header_values_beyond_ascii_keep_their_bytes(house: House, raw: RawUpstream) -> None:
    values = ["naïve ✓".encode(), "caf\xe9".encode("latin-1")]

    async def answer(peer: Peer, request: RawRequest) -> None:
        lines = b"".join(b"X-Back: %s\r\n" % value for value in request.all(b"x-title"))
        await peer.reply(head=JSON_HEAD + lines)

    async with raw.play(answer):
        sent = [("X-Title", value.decode("latin-1")) for value in values]
        got = await ask(house.gateway, "POST", CHAT, chat("raw"), sent)
    assert raw.requests[0].all(b"x-title") == values
    assert [value.encode("latin-1") for value in got.all("x-back")] == values


async def test_hop_by_hop_headers_end_at_the_gateway(house: House, raw: RawUpstream) -> None:
    hops = [
        *(("TE", "trailers"), ("Keep-Alive", "timeout=9"), ("Proxy-Authorization", "secret")),
        *(("Connection", "keep-alive, X-Hop ,host"), ("X-Hop", "1"), ("X-End", "2")),
    ]

    async def answer(peer: Peer, request: RawRequest) -> None:
        lines = b"Keep-Alive: timeout=5, max=100\r\nConnection: x-back\r\nX-Back: 1\r\n"
        await peer.reply(head=JSON_HEAD + lines)

    async with raw.play(answer):
        got = await ask(house.gateway, "POST", CHAT, chat("raw"), hops)
    sent = {name.lower() for name, _ in raw.requests[0].headers}
    assert not sent & {b"te", b"keep-alive", b"proxy-authorization", b"connection", b"x-hop"}
    assert sent >= {b"x-end", b"host"}
    assert not got.all("keep-alive")
    assert not got.all("x-back")


async def test_host_and_authorization_are_the_clients_own(house: House, raw: RawUpstream) -> None:
    async with raw.play(plain):
        await ask(house.gateway, "POST", CHAT, chat("raw"), [("Authorization", "Bearer x")])
    (request,) = raw.requests
    assert request.all(b"host") == [b"gateway.localhost"]
    assert request.all(b"authorization") == [b"Bearer x"]


BODIES = [
    b' {"model" : "raw","messages":[] , "x":1.0e+2,"\\u00e9":"\\ud83d\\ude00 \xc3\xa9" }\n',
    b'{"messages":[],"n":123456789012345678901234567890,"n":1,"model":"raw"}',
    b'{"model":"raw","messages":[{"role":"user","content":"\\"model\\": \\"auto\\""}]}',
]


@pytest.mark.top40(15, "byte for byte")
@pytest.mark.parametrize("body", BODIES)
async def test_a_body_that_names_its_model_is_forwarded_byte_for_byte(
    house: House, raw: RawUpstream, body: bytes
) -> None:
    async with raw.play(plain):
        await ask(house.gateway, "POST", CHAT, body)
        await ask(house.door, "POST", CHAT, body)
        await ask(house.door, "POST", "/upstream/raw/v1/completions", body)
    assert [request.body for request in raw.requests] == [body] * 3


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (
            b' { "temperature":0.70,"model" :  "auto", "messages":[ ],"model_x":"auto"}\r\n',
            b' { "temperature":0.70,"model" :  "smart", "messages":[ ],"model_x":"auto"}\r\n',
        ),
        (b'{"messages":[]}', b'{"model":"smart","messages":[]}'),
        (b'{"messages":[],"model":null}', b'{"messages":[],"model":"smart"}'),
        (
            b'{"messages":[{"role":"user","content":"\\"model\\": \\"auto\\""}],"model":"auto"}',
            b'{"messages":[{"role":"user","content":"\\"model\\": \\"auto\\""}],"model":"smart"}',
        ),
    ],
)
async def test_auto_changes_the_models_name_and_nothing_else(
    house: House, body: bytes, sent: bytes
) -> None:
    # The fake server's echo answers on any route that is not a completion.
    got = await ask(house.gateway, "POST", "/v1/responses", body)
    assert base64.b64decode(got.json()["body_base64"]) == sent


async def test_a_body_of_five_megabytes_passes(house: House, raw: RawUpstream) -> None:
    body = json.dumps(chat("raw", "x" * 5_000_000)).encode()

    async def echo(peer: Peer, request: RawRequest) -> None:
        await peer.reply(request.body)

    async with raw.play(echo):
        got = await ask(house.gateway, "POST", CHAT, body)
    assert raw.requests[0].body == body
    assert got.complete
    assert got.body == body


async def test_a_chunked_request_is_forwarded_whole(house: House, raw: RawUpstream) -> None:
    body = json.dumps(chat("raw", "words " * 100)).encode()
    async with raw.play(plain), Wire(house.gateway) as wire:
        await wire.send(
            f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for start in range(0, len(body), 100):
            piece = body[start : start + 100]
            await wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        await wire.send(b"0\r\n\r\n")
        got = await wire.answer()
    assert got.status == 200
    (request,) = raw.requests
    assert request.body == body
    assert not request.all(b"transfer-encoding")


async def test_expect_100_continue_is_answered_here(house: House, raw: RawUpstream) -> None:
    body = json.dumps(chat("raw")).encode()
    async with raw.play(plain), Wire(house.gateway) as wire:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        await wire.send(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert (await wire.head()).status == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200
    assert not raw.requests[0].all(b"expect")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "PROPFIND"])
async def test_any_method_passes_through_upstream_with_its_body(house: House, method: str) -> None:
    got = await ask(house.gateway, method, "/upstream/smart/thing", b"\x00\xff raw")
    assert got.json()["method"] == method
    assert base64.b64decode(got.json()["body_base64"]) == b"\x00\xff raw"


async def test_a_post_without_a_body_says_so(house: House, raw: RawUpstream) -> None:
    async with raw.play(plain):
        got = await ask(house.gateway, "POST", "/upstream/raw/slots")
    assert got.status == 200
    assert raw.requests[0].all(b"content-length") == [b"0"]


async def test_one_connection_carries_many_requests(house: House, raw: RawUpstream) -> None:
    """Keep-alive on both sides: no connection per request."""
    async with raw.play(plain), Wire(house.gateway) as wire:
        for _ in range(20):
            await wire.request("POST", CHAT, (), json.dumps(chat("raw")).encode())
            assert (await wire.answer()).status == 200
    assert raw.connections == 1


async def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    async with Wire(house.gateway) as wire:
        for number in range(5):
            await wire.request("GET", f"/upstream/smart/{number}")
        for number in range(5):
            assert (await wire.answer()).json()["path"] == f"/{number}"


async def test_a_path_cannot_forge_lines_of_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor send codes to the terminal of who reads it."""
    with caplog.at_level("INFO", "llmstack.requests"):
        await ask(house.gateway, "GET", "/upstream/smart/%0AERROR%20forged%1b[31m")
    (line,) = [one.getMessage() for one in caplog.records if "smart" in one.getMessage()]
    assert line.isprintable()
    assert "%0AERROR" in line
