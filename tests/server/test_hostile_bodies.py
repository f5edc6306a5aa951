"""Bodies of every kind and of none: the stated status and a body, and never anything else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmstack.config.swap import Filters, SwapModel
from llmstack.errors import BadRequest
from llmstack.server.model_request import read_request
from tests.server.wire import Wire, within

if TYPE_CHECKING:
    from tests.server.house import House

KINDS = (
    b"",
    b"application/json",
    b"Application/JSON; charset=utf-16",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data",
    b"multipart/form-data; boundary=x",
    b'multipart/form-data; boundary="a b"',
    b"multipart/form-data; boundary=",
    b"text/plain",
    b"\xff",
)
#: Values for ``model`` and ``stream``, as JSON writes them and as it must not.
VALUES = st.sampled_from(
    (
        b'"plain"',
        b'"loud"',
        b'"away/far"',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"pl\\u0061in"',
        b'""',
        b"null",
        b"true",
        b"7",
        b"-0.0",
        b"1e400",
        b"9" * 400,
        b"9" * 5000,
        b"NaN",
        b"[" * 2000 + b"]" * 2000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b'"\xff\xfe"',
        b'"open',
        b"",
    )
)
NAMES = st.sampled_from((b'"model"', b'"stream"', b'"mod\\u0065l"', b'"x"', b"model", b'"\xc3"'))
MEMBERS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
JSONS = MEMBERS.map(lambda pairs: b"{" + b", ".join(k + b":" + v for k, v in pairs) + b"}")
PARTS = st.lists(
    st.sampled_from(
        (
            b"--x\r\n",
            b"--x--",
            b"--x",
            b"\r\n",
            b'Content-Disposition: form-data; name="model"',
            b"content-disposition:form-data;name=stream;",
            b'Content-Disposition: form-data; name="model"; filename="f"',
            b"\r\n\r\nplain\r\n",
            b"\r\n\r\n",
            b"\x00\xff",
            b"--a b\r\n",
        )
    ),
    max_size=12,
).map(b"".join)
FORMS = st.lists(
    st.sampled_from((b"model=plain", b"model", b"model=%", b"%6dodel=%ff", b"=", b"stream=true")),
    max_size=5,
).map(b"&".join)
BODIES = st.one_of(JSONS, PARTS, FORMS, st.binary(max_size=40))
QUERIES = st.sampled_from(("", "?model=plain", "?model=%ff&stream=1", "?&=%zz;model=x"))

FILTERED = SwapModel(
    "plain",
    filters=Filters(
        strip_params=("secret", "a.0"),
        set_params={"temperature": 1, "x.y": None},
        set_params_by_id={"new": {"z": []}},
    ),
    use_model_name="real",
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(kind=st.sampled_from(KINDS), body=BODIES, query=QUERIES)
@example(kind=b"application/json", body=b'{"model":"a","model":7,"stream":[]}', query="")
def test_any_body_is_read_and_edited_or_refused(kind: bytes, body: bytes, query: str) -> None:
    """Whatever could be read can be renamed, and then says so; the rest is the client's fault."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "query_string": query[1:].encode(),
        "headers": [(b"content-type", kind)],
    }
    try:
        request = read_request(scope, body)
        named = request.named("new")
        named.filtered(FILTERED)
    except BadRequest:
        return
    if request.model:
        assert (request.body, request.query) == (body, scope["query_string"])
        assert read_request({**scope, "query_string": named.query}, named.body).model == "new"


@pytest.mark.anyio
async def test_any_body_gets_a_stated_status_and_a_body(surface_house: House) -> None:
    """On every encoding, over a socket: no 5xx, nothing unfinished, nothing that hangs."""
    house = surface_house
    await house.engine.load("plain")
    await house.engine.load("filtered")
    loop = asyncio.get_running_loop()
    seen: set[int] = set()

    async def exchange(path: str, kind: bytes, body: bytes) -> tuple[int, bytes, bool]:
        async with Wire(house.door) as wire:
            headers = [("Content-Type", kind.decode("latin-1"))] if kind else []
            await wire.request("POST", path, headers, body)
            got = await within(wire.answer())
            return got.status, got.body, got.complete

    @settings(
        max_examples=150,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        path=st.sampled_from(("/v1/embeddings", "/v1/audio/transcriptions", "/infill")),
        kind=st.sampled_from(KINDS),
        body=BODIES,
        query=QUERIES,
    )
    def answered(path: str, kind: bytes, body: bytes, query: str) -> None:
        asking = asyncio.run_coroutine_threadsafe(exchange(path + query, kind, body), loop)
        status, answer, complete = asking.result()
        seen.add(status)
        assert complete
        if status != 200:
            assert json.loads(answer)["error"]["message"]

    await asyncio.to_thread(answered)
    assert seen == {200, 400, 404}
