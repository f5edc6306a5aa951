"""The same over TLS, for a model behind an https address. Certificates are checked."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from llmstack.http1 import Broken, Pool, Unreachable
from tests.http1.certificate import self_signed
from tests.http1.raw_server import CHUNKED, OK, Peer, always, ask, chunk, serving, sized, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key in the same file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """The server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(pool: Pool, certificate: Path) -> Pool:
    """A client that trusts the certificate."""
    pool._tls = ssl.create_default_context(cafile=certificate)
    return pool


async def test_answers_over_tls_are_the_same(trusting: Pool, tls: ssl.SSLContext) -> None:
    large = bytes(range(256)) * 8192
    answers = (sized(b"sized"), CHUNKED + chunk(b"chunked") + chunk(b""), sized(large))
    async with serving(always(*answers), tls=tls) as server:
        for _ in range(4):
            for body in (b"sized", b"chunked", large):
                assert (await ask(trusting, server.base, "POST", large)).body == body
        assert len(server.peers) == 1
        assert all(request.body == large for request in server.requests)


async def test_a_body_that_ends_with_the_connection_over_tls(
    trusting: Pool, tls: ssl.SSLContext
) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(OK + b"\r\nto the end")

    async with serving(play, tls=tls) as server:
        for _ in range(5):
            assert (await ask(trusting, server.base)).body == b"to the end"


async def test_a_connection_cut_off_under_tls_breaks_the_answer(
    trusting: Pool, tls: ssl.SSLContext
) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(CHUNKED + chunk(b"first"))
        await until(lambda: seen)
        peer.writer.transport.abort()

    seen = []
    async with serving(play, tls=tls) as server:
        response = await trusting.request("GET", server.base, b"/")
        seen.append(await response.read())
        with pytest.raises(Broken):
            await response.read()
        response.close()


async def test_kept_connections_that_die_are_replaced_under_tls(
    trusting: Pool, tls: ssl.SSLContext
) -> None:
    async def play(peer: Peer) -> None:
        await peer.receive()
        await peer.send(sized(b"promised"))

    async with serving(play, tls=tls) as server:
        for _ in range(20):
            assert (await ask(trusting, server.base)).body == b"promised"


async def test_an_unknown_certificate_is_refused(pool: Pool, tls: ssl.SSLContext) -> None:
    async with serving(always(sized(b"x")), tls=tls) as server:
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            await ask(pool, server.base)
        assert not server.requests


async def test_a_server_without_tls_is_unreachable_over_https(trusting: Pool) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with serving(play) as server:
        with pytest.raises(Unreachable):
            await ask(trusting, server.base.replace("http:", "https:"))
