"""Other servers of this kind: their own models, every path, and no circles."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.backends.breaker import LIMIT
from llmstack.backends.hops import HEADER, LONGEST_WAY, hops_of, stepped
from llmstack.backends.peer import peer, peer_of
from llmstack.backends.peer_models import peer_models
from llmstack.backends.protocol import Upstream
from llmstack.config.hosted import Hosted
from llmstack.config.swap import Peer, Timeouts
from llmstack.errors import BackendFailed
from tests.backends.found_house import ask, house, whole
from tests.backends.test_discovery import Clock
from tests.http1.raw_server import PATIENCE, until
from tests.http1.served import body, read, serving, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llmstack.backends.protocol import Backend, House

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def record(name: str, kind: str = "model", **more: Any) -> dict[str, Any]:
    """A record as llama-swap and this program write it."""
    return {
        "id": name,
        "object": "model",
        "created": 1,
        "owned_by": "llama-swap",
        "status": {"value": "unloaded"},
        "meta": {"llamaswap": {"type": kind}},
        **more,
    }


ABLE = {"vision": True, "function_calling": True}
OWN = [
    {"id": "auto", "object": "model", "created": 0, "owned_by": "llmstack", "tier": "auto"},
    record("qwen", status={"value": "loaded"}, context_length=40_960, capabilities=ABLE),
    record("small", meta={"llamaswap": {"type": "model"}, "n_ctx": 8192}),
    record("best", "selector"),
    record("ollama/gemma3:4b", meta={"llamaswap": {"type": "found", "backend": "ollama"}}),
]
THEIRS = [
    record("far/away", "peer"),
    record("far/off", meta={"llamaswap": {"type": "found", "backend": "peer"}}),
    record("qwen-alias", "alias"),
]


class Neighbour:
    """A server like this one. ``rows`` is what it lists; ``answer`` makes other answers."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows: Any = rows
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.status = 200
        self.base = ""
        self.pass_on: Callable[[Any, bytes], Any] | None = None
        self.pieces: asyncio.Queue[bytes] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        data = await read(receive)
        self.bodies.append(data)
        kind = [(b"content-type", b"application/json")]
        if self.pieces:
            await start(send, headers=[(b"content-type", b"text/event-stream")])
            while piece := await self.pieces.get():
                await body(send, piece, more=True)
            await body(send, b"")
            return
        if scope["path"].endswith("/v1/models"):
            told: Any = {"object": "list", "data": self.rows}
        elif self.pass_on:
            told = await self.pass_on(scope, data)
        else:
            told = {"path": scope["raw_path"].decode(), "query": scope["query_string"].decode()}
        await start(send, self.status, [*kind, (b"x-theirs", b"yes"), (b"set-cookie", b"a=b")])
        await body(send, json.dumps(told).encode())

    def headers(self) -> dict[bytes, bytes]:
        """Of the last request."""
        return dict(self.scopes[-1]["headers"])


@asynccontextmanager
async def neighbour(rows: list[Any] | None = None) -> AsyncIterator[Neighbour]:
    app = Neighbour([*OWN, *THEIRS] if rows is None else rows)
    async with serving(app) as served:
        app.base = f"http://127.0.0.1:{served.port}"
        yield app


def to(home: House, base: str, **more: Any) -> Backend:
    return peer(Upstream("next", Hosted("peer", base_url=base, **more)), home)


def swapped(base: str, **more: Any) -> Peer:
    return Peer("next", base, ("qwen",), **more)


async def test_its_own_models_are_offered_and_those_of_its_peers_are_not() -> None:
    async with neighbour() as other, house() as home:
        told = {one.name: one for one in await to(home, other.base).models()}
        assert list(told) == ["auto", "qwen", "small", "best", "ollama/gemma3:4b"]
        assert (told["qwen"].context, told["qwen"].loaded) == (40_960, True)
        assert told["qwen"].vision
        assert told["qwen"].tools
        assert (told["small"].context, told["small"].loaded) == (8192, False)
        assert told["auto"].loaded is None


async def test_it_is_told_that_a_peer_asks_so_that_neither_waits_for_the_other() -> None:
    async with neighbour() as other, house() as home:
        await to(home, other.base).models()
        assert hops_of(other.scopes[-1]["headers"]) == 1


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/rerank", "/upstream/qwen/props", "/sdapi/v1/txt2img"]
)
async def test_every_path_passes(path: str, ending: str) -> None:
    async with neighbour() as other, house() as home:
        answer = await to(home, other.base + ending).open(ask("qwen", path))
        assert json.loads(await whole(answer))["path"] == path
        assert json.loads(other.bodies[-1])["model"] == "qwen"


async def test_its_own_key_goes_to_it_and_the_clients_does_not() -> None:
    async with neighbour() as other, house({"KEY": "sesame"}) as home:
        backend = to(home, other.base, api_key_env="KEY")
        mine = [(b"authorization", b"Bearer mine"), (b"x-api-key", b"mine"), (b"x-a", b"b")]
        await whole(await backend.open(ask("qwen", headers=mine)))
        sent = other.headers()
        assert sent[b"authorization"] == b"Bearer sesame"
        assert b"mine" not in sent.values()
        assert sent[b"x-a"] == b"b"
        await backend.models()
        assert other.headers()[b"authorization"] == b"Bearer sesame"


async def test_two_servers_that_are_peers_of_each_other_end_a_request_that_goes_round() -> None:
    """Each passes every request on to the other; the client gets a clear error, soon."""
    async with neighbour() as one, neighbour() as two, house() as home:
        ways = {id(one): to(home, two.base), id(two): to(home, one.base)}
        raised: list[BackendFailed] = []

        def passing(here: Neighbour) -> Callable[[Any, bytes], Any]:
            async def pass_on(scope: Any, _: bytes) -> Any:
                try:
                    answer = await ways[id(here)].open(ask("qwen", headers=scope["headers"]))
                except BackendFailed as error:
                    raised.append(error)
                    here.status = error.status
                    return {"error": {"message": str(error)}}
                here.status = answer.status
                return json.loads(await whole(answer))

            return pass_on

        one.pass_on, two.pass_on = passing(one), passing(two)
        with pytest.raises(BackendFailed) as error:
            await whole(await to(home, one.base, retries=0).open(ask("qwen")))
        assert error.value.status == 508
        assert len(one.scopes) + len(two.scopes) == LONGEST_WAY
        assert raised[0].code == "loop_detected"
        assert not raised[0].elsewhere


async def test_two_servers_that_are_peers_of_each_other_do_not_nest_names() -> None:
    """Each lists what it found on the other, as a peer's; neither list grows."""
    own = [record("a")], [record("b")]
    async with neighbour(own[0]) as one, neighbour(own[1]) as two, house() as home:
        pairs = ((one, own[0], to(home, two.base)), (two, own[1], to(home, one.base)))
        for _ in range(4):
            for server, rows, other in pairs:
                found = [one.name for one in await other.models()]
                server.rows = [*rows, *(record(f"next/{name}", "peer") for name in found)]
        assert [row["id"] for row in one.rows] == ["a", "next/b"]
        assert [row["id"] for row in two.rows] == ["b", "next/a"]


@pytest.mark.parametrize(
    ("value", "hops"), [(b"0", 0), (b"2", 2), (b"many", LONGEST_WAY), (b"-1", LONGEST_WAY)]
)
def test_hops_are_counted_from_what_is_told(value: bytes, hops: int) -> None:
    assert hops_of([(HEADER, value)]) == hops
    assert hops_of([(HEADER, b"9" * 5000)]) == LONGEST_WAY
    assert hops_of([]) == 0


@given(st.integers(0, LONGEST_WAY - 1))
def test_a_step_is_counted_once(hops: int) -> None:
    told = [(HEADER, b"7")] * bool(hops) + [(HEADER, b"%d" % hops)]
    went = stepped(ask("m", headers=told))
    assert [value for name, value in went.headers if name == HEADER] == [b"%d" % (hops + 1)]


async def test_a_peer_that_is_gone_is_a_reason_to_ask_elsewhere() -> None:
    async with neighbour() as other:
        base = other.base
    async with house() as home:
        backend = to(home, base, retries=0)
        with pytest.raises(BackendFailed) as error:
            await backend.open(ask("qwen"))
        assert error.value.elsewhere
        with pytest.raises(BackendFailed):
            await backend.models()


@pytest.mark.parametrize(
    "text", [b"", b"null", b"{}", b'{"data":5}', b"[" * 100_000, b'{"data":[1,{"id":2},{}]}']
)
def test_a_list_that_is_none_is_an_error_or_empty(text: bytes) -> None:
    with suppress(ValueError):
        assert peer_models(text) == ()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["id", "meta", "status", "capabilities", "owned_by", "llamaswap"]),
            st.recursive(
                st.none() | st.text(max_size=3) | st.integers(),
                lambda inner: st.dictionaries(st.sampled_from(["llamaswap", "value"]), inner),
                max_leaves=4,
            ),
        ),
        max_size=4,
    )
)
def test_whatever_a_peer_lists_nothing_is_raised(rows: list[Any]) -> None:
    peer_models(json.dumps({"data": rows}).encode())


async def test_a_swap_peers_answer_passes_as_it_is_whatever_its_status() -> None:
    async with neighbour() as other, house() as home:
        backend = peer_of(swapped(f"{other.base}/base/"), home)
        for status in (200, 302, 401, 404, 429, 500, 503):
            other.status = status
            answer = await backend.open(ask("qwen"))
            assert answer.status == status
            assert answer.header(b"x-theirs") == b"yes"
            assert json.loads(await whole(answer))["path"] == "/base/v1/chat/completions"
        assert backend.health().state == "ok"
        assert other.bodies[-1] == ask("qwen").body, "not a byte is changed"
        assert hops_of(other.scopes[-1]["headers"]) == 1


async def test_a_swap_peers_key_is_shown_to_it_in_both_forms() -> None:
    async with neighbour() as other, house({"PATH": "/bin"}) as home:
        backend = peer_of(swapped(other.base, api_key="sesame"), home)
        await whole(await backend.open(ask("qwen", headers=[(b"authorization", b"mine")])))
        assert other.headers()[b"authorization"] == b"Bearer sesame"
        assert other.headers()[b"x-api-key"] == b"sesame"
        assert next(one.name for one in await backend.models()) == "auto"
        assert other.headers()[b"authorization"] == b"Bearer sesame"
        assert "sesame" not in repr(backend._lists.upstream)


async def test_a_swap_peer_that_is_gone_is_left_alone_for_a_while() -> None:
    async with neighbour() as other:
        base = other.base
    clock = Clock()
    async with house(now=clock) as home:
        backend = peer_of(swapped(base), home)
        for _ in range(LIMIT):
            with pytest.raises(BackendFailed, match="peer proxy error") as error:
                await backend.open(ask("qwen"))
            assert error.value.status == 502
        with pytest.raises(BackendFailed, match="not asked for now") as error:
            await backend.open(ask("qwen"))
        assert error.value.retry_after
        assert backend.health().state == "down"


async def test_a_swap_peer_has_the_limits_that_are_written() -> None:
    async with neighbour() as other, house() as home:
        other.pieces = asyncio.Queue()
        gate = asyncio.Event()

        async def wait(scope: Any, data: bytes) -> Any:
            await gate.wait()
            return {}

        other.pieces, other.pass_on = None, wait
        backend = peer_of(swapped(other.base, timeouts=Timeouts(response_header=1)), home)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(BackendFailed, match="peer proxy error"):
                await backend.open(ask("qwen"))
        gate.set()


async def test_a_swap_peers_pieces_leave_at_once_and_a_client_that_leaves_ends_the_work() -> None:
    async with neighbour() as other, house() as home:
        pieces = other.pieces = asyncio.Queue()
        pieces.put_nowait(b"data: 1\n\n")
        answer = await peer_of(swapped(other.base), home).open(ask("qwen", stream=True))
        assert await answer.read() == b"data: 1\n\n"
        pieces.put_nowait(b"data: 2\n\n")
        assert await answer.read() == b"data: 2\n\n"
        answer.close()
        await until(lambda: not home.pool._all)
        pieces.put_nowait(b"")
