"""What goes wrong at Bedrock, before and within an answer, as the official SDKs meet it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.backends.bedrock_server import (
    START,
    Bedrock,
    Refusal,
    Stream,
    bedrock_server,
    frame,
    whole,
)
from tests.backends.bedrock_server import exception as exception_frame
from tests.e2e.matrix_clients import BrokeOff
from tests.e2e.matrix_ground import Clients, Log, clients_of
from tests.e2e.matrix_hosted import CREDENTIALS
from tests.e2e.matrix_table import APIS
from tests.e2e.matrix_wishes import PLAIN
from tests.e2e.stack import Stack, models_ini

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

SAID = "what Bedrock says of it"
#: Bedrock's name and status of an error, and the client's.
ERRORS = [
    ("ValidationException", 400, 400),
    ("ResourceNotFoundException", 404, 404),
    ("ThrottlingException", 429, 429),
    ("ModelTimeoutException", 408, 504),
    ("InternalServerException", 500, 502),
    ("ServiceUnavailableException", 503, 503),
    ("AccessDeniedException", 403, 403),
]
WITHIN = (
    "throttlingException",
    "validationException",
    "internalServerException",
    "modelStreamErrorException",
    "serviceUnavailableException",
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Cloud:
    """A stack of hosted tiers only, one for each error of ``ERRORS``."""

    def __init__(self, server: Bedrock, clients: Clients, log: Log) -> None:
        self.server = server
        self.clients = clients
        self.log = log


@pytest.fixture(scope="module")
async def cloud(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cloud]:
    async with bedrock_server() as server:
        tier = {"backend": "bedrock", "aws_endpoint_url": server.base, "retries": "0"}
        tier |= {"aws_model_id": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}
        tier |= {"role": "publish", "ctx_size": "200k"}
        # What is known of an account holds for its region.
        tiers = {
            code.lower(): {**tier, "aws_region": f"eu-west-{number}"}
            for number, (code, _, _) in enumerate(ERRORS)
        }
        ini = models_ini(tiers, ollama="off")
        with Stack(tmp_path_factory.mktemp("cloud"), ini) as stack:
            done = await asyncio.to_thread(stack.command, "start", **CREDENTIALS)
            assert done.returncode == 0, f"{done.stdout}{done.stderr}"
            async with clients_of(stack.gateway) as clients:
                yield Cloud(server, clients, Log(stack))


async def heard(client: Any, way: str, model: str) -> None:
    if way == "whole":
        await client.ask(model, PLAIN)
        return
    async with client.listen(model, PLAIN) as listener:
        await listener.said()


@pytest.mark.parametrize("way", ["whole", "streamed"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(("code", "status", "expected"), ERRORS, ids=[one[0] for one in ERRORS])
async def test_before_the_first_token_an_error_is_a_status(
    cloud: Cloud, code: str, status: int, expected: int, api: str, way: str
) -> None:
    newest = await cloud.log.newest()
    cloud.server.answers(Refusal(status, code, SAID))
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
        await heard(cloud.clients.of(api), way, code.lower())
    assert caught.value.status_code == expected
    assert SAID in caught.value.message
    if expected == 429:
        assert int(caught.value.response.headers["retry-after"]) > 0
    row = await cloud.log.only_one_after(newest)
    assert row["resp_status_code"] == expected
    assert SAID in row["error_msg"]
    if expected >= 500:
        # Enough of these in a row open the circuit, which is another test's.
        cloud.server.answers(whole())
        await heard(cloud.clients.of("chat"), "whole", code.lower())


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("kind", WITHIN)
async def test_within_an_answer_an_error_ends_it(cloud: Cloud, kind: str, api: str) -> None:
    newest = await cloud.log.newest()
    piece = frame("contentBlockDelta", delta={"text": "Hel"}, contentBlockIndex=0)
    cloud.server.answers(Stream((START, piece, exception_frame(kind, SAID))))
    with pytest.raises((openai.APIError, anthropic.APIError, BrokeOff), match=SAID):
        await heard(cloud.clients.of(api), "streamed", "validationexception")
    row = await cloud.log.only_one_after(newest)
    assert row["resp_status_code"] == 200
    assert SAID in row["error_msg"]
    await cloud.log.nothing_in_flight()
