"""``UsageMeter`` reads what an answer says, however it is cut and without holding it."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.activity import Usage, UsageMeter
from llmstack.activity.usage import BLOCK, HELD
from tests.activity.answers import ANSWERS, DELTA, JSON, OPENAI, SSE, Answer, events, found
from tests.llama_server.process import LlamaServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAMES = [answer.name for answer in ANSWERS]


def metered(
    answer: Answer, pieces: Iterable[bytes], encoding: str | None = None, held: int = HELD
) -> Usage:
    meter = UsageMeter(answer.path, answer.content_type, encoding, held=held)
    for piece in pieces:
        meter.feed(piece)
    return meter.result()


def packed(body: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize("answer", ANSWERS, ids=NAMES)
def test_the_usage_is_what_the_answer_says(answer: Answer) -> None:
    assert metered(answer, [answer.body]) == answer.usage


@pytest.mark.parametrize("answer", ANSWERS, ids=NAMES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_of_any_size_give_the_same(answer: Answer, size: int) -> None:
    body = answer.body
    assert metered(answer, (body[i : i + size] for i in range(0, len(body), size))) == answer.usage


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ANSWERS), st.data(), st.sampled_from([8, 200, HELD]))
def test_any_cut_gives_the_same_also_when_little_is_held(
    answer: Answer, data: st.DataObject, held: int
) -> None:
    body = answer.body
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=8).map(sorted))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    whole = metered(answer, [body], held=held)
    assert metered(answer, pieces, held=held) == whole
    if answer.name not in ("not JSON", "half a surrogate pair"):
        # What is scanned instead of decoded need not be valid to the last byte.
        assert whole == answer.usage


@pytest.mark.parametrize("answer", ANSWERS, ids=NAMES)
@pytest.mark.parametrize(
    ("encoding", "bits"), [("gzip", 31), ("deflate", 15), ("deflate", -15), (" X-GZip ", 31)]
)
@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_compressed_answers_are_decoded(
    answer: Answer, encoding: str, bits: int, size: int
) -> None:
    body = packed(answer.body, bits)
    pieces = (body[i : i + size] for i in range(0, len(body), size))
    assert metered(answer, pieces, encoding) == answer.usage


def test_gzip_files_may_follow_one_another() -> None:
    answer = next(answer for answer in ANSWERS if answer.name == "stream")
    half = len(answer.body) // 2
    body = packed(answer.body[:half], 31) + packed(answer.body[half:], 31)
    assert metered(answer, [body], "gzip") == answer.usage


@pytest.mark.parametrize("body", [b"this is no gzip", packed(b"x" * 1000, 31)[:-4], b""])
def test_what_cannot_be_decoded_is_a_problem_and_no_usage(body: bytes) -> None:
    usage = metered(Answer("", JSON, body, Usage()), [body], "gzip")
    assert usage.problem.startswith("cannot decode the gzip answer: ")
    assert msgspec.structs.replace(usage, problem="") == Usage()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_error_that_ends_a_stream_is_a_problem(size: int) -> None:
    body = b'event: ping\ndata: {"error":null,"message":"no"}\n\n'
    body += b'event: error\ndata: {"type":"error","error":{"message":"boom"}}\n\n'
    body += b'data: {"error":"a later one"}\n\n'
    meter = UsageMeter("/v1/messages", SSE)
    for at in range(0, len(body), size):
        meter.feed(body[at : at + size])
    assert meter.result() == Usage(problem="boom")


def test_other_encodings_are_read_as_they_are() -> None:
    answer = ANSWERS[0]
    assert metered(answer, [answer.body], "br") == answer.usage


def test_a_stream_of_100_megabytes_is_read_in_constant_memory() -> None:
    event = events(DELTA, done=False)
    piece = event * (1_000_003 // len(event))
    meter = UsageMeter("/v1/chat/completions", SSE)
    most = 0
    for number in range(100):
        meter.feed(piece[number:] + piece[:number])
        most = max(most, meter.held_bytes)
    meter.feed(b"\n" + events({"usage": OPENAI}))
    assert most <= len(event)
    assert meter.result() == found(24, 3, 8)


@pytest.mark.parametrize("start", [b"data: ", b""])
@pytest.mark.parametrize("content_type", [SSE, JSON])
def test_one_document_of_100_megabytes_is_read_in_constant_memory(
    start: bytes, content_type: str
) -> None:
    meter = UsageMeter("/v1/chat/completions", content_type)
    text = b'say \\"usage\\": ' * 70_000
    meter.feed(start + b'{"choices":[{"text":"')
    most = 0
    for _ in range(100):
        meter.feed(text)
        most = max(most, meter.held_bytes)
    meter.feed(b'"}],"usage":{"prompt_tokens":24}}\n')
    assert most <= HELD + 64
    expected = found(24, 0) if bool(start) == (content_type == SSE) else Usage()
    assert meter.result() == expected


def test_a_bomb_of_gzip_is_read_in_constant_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    body = packer.compress(b'{"a":"')
    body += b"".join(packer.compress(b"x" * 1_000_000) for _ in range(50)) + packer.flush()
    meter = UsageMeter("/v1/chat/completions", JSON, "gzip")
    meter.feed(body)
    assert meter.held_bytes <= HELD + 64


def test_values_larger_than_any_usage_are_not_kept() -> None:
    body = b'{"a":"' + b"x" * HELD + b'","usage":{"x":"' + b"y" * 200_000
    meter = UsageMeter("/v1/chat/completions", JSON)
    for i in range(0, len(body), 1000):
        meter.feed(body[i : i + 1000])
        assert meter.held_bytes <= HELD + BLOCK + 1000
    meter.feed(b'","prompt_tokens":4}}')
    assert meter.result() == Usage()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)), st.sampled_from([SSE, JSON]), st.sampled_from([4, HELD]))
def test_any_bytes_are_read(pieces: list[bytes], content_type: str, held: int) -> None:
    meter = UsageMeter("/infill", content_type, held=held)
    for piece in pieces:
        meter.feed(piece)
    meter.result()


@settings(deadline=None)
@given(
    st.text('{}[]",:\\ aut', max_size=60).map(lambda junk: junk.encode()),
    st.sampled_from([b'{"usage":{"prompt_tokens":', b"[", b"data: {"]),
)
def test_any_brackets_are_read(junk: bytes, start: bytes) -> None:
    for content_type in (SSE, JSON):
        meter = UsageMeter("/infill", content_type, held=2)
        meter.feed(start)
        meter.feed(junk)
        meter.result()


def test_the_duration_is_the_longer_of_wall_time_and_the_models_own() -> None:
    usage = Usage(model_ms=300.75)
    assert usage.duration_ms(100) == 301
    assert usage.duration_ms(1000.4) == 1000


def test_a_failure_says_what_the_answer_says() -> None:
    meter = UsageMeter("/v1/chat/completions", JSON)
    meter.feed(b'{"error":{"message":"the model ')
    meter.feed(b'is gone"}}')
    assert meter.failure(500) == "the model is gone"
    assert UsageMeter("/v1/chat/completions", SSE).failure(502) == "502 Bad Gateway"


# What a real llama-server answers.


@pytest.fixture(scope="module")
def server(tinywords_path: Path) -> Iterator[LlamaServerProcess]:
    pytest.importorskip("xllamacpp")
    argv = ("-m", str(tinywords_path), "--port", "0", "-t", "1", "-c", "4096", "-np", "1")
    with LlamaServerProcess(*argv) as running:
        yield running.wait_until_ready()


CHAT = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0, "max_tokens": 7}
PROMPT = {"prompt": "hello", "temperature": 0, "n_predict": 7}
RESPONSES = {"input": "hello", "temperature": 0, "max_output_tokens": 7}
INFILL = {"input_prefix": "def", "input_suffix": "x", "temperature": 0, "n_predict": 7}
INCLUDE = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("path", "body", "timed"),
    [
        ("/v1/chat/completions", CHAT, True),
        ("/v1/chat/completions", {**CHAT, "stream": True}, True),
        ("/v1/chat/completions", {**CHAT, "stream": True, **INCLUDE}, True),
        ("/v1/chat/completions", {**CHAT, "stream": True, "timings_per_token": True}, True),
        ("/v1/completions", PROMPT, True),
        ("/v1/completions", {**PROMPT, "stream": True}, True),
        ("/completion", PROMPT, True),
        ("/completion", {**PROMPT, "stream": True}, True),
        ("/completion", {**PROMPT, "prompt": ["hello", "house"]}, True),
        ("/infill", INFILL, True),
        ("/infill", {**INFILL, "stream": True}, True),
        ("/v1/responses", RESPONSES, False),
        ("/v1/responses", {**RESPONSES, "stream": True}, True),
        ("/v1/messages", CHAT, False),
        ("/v1/messages", {**CHAT, "stream": True}, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_answer_of_a_llama_server_is_counted(
    server: LlamaServerProcess, path: str, body: dict[str, Any], timed: bool
) -> None:
    with server.open(path, body) as answer:
        meter = UsageMeter(path, answer.headers["Content-Type"])
        small = UsageMeter(path, answer.headers["Content-Type"], held=50)
        while piece := answer.read1(100):
            meter.feed(piece)
            small.feed(piece)
    usage = meter.result()
    assert usage.output_tokens == 7
    assert usage.input_tokens >= 1
    assert usage.cache_tokens >= 0
    assert (usage.tokens_per_second > 0) == timed
    assert (usage.model_ms > 0) == timed
    assert usage == small.result()


def test_a_llama_servers_refusal_is_its_message(server: LlamaServerProcess) -> None:
    status, answer = server.request("/v1/chat/completions", {"messages": "x"})
    meter = UsageMeter("/v1/chat/completions", JSON)
    meter.feed(json.dumps(answer).encode())
    assert status >= 400
    assert meter.failure(status) == answer["error"]["message"]
