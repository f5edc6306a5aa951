"""Every API, streamed and whole, from every place, in fair weather and foul: issue 5's matrix."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.backends.bedrock_server import Whole
from tests.e2e.matrix_clients import BrokeOff
from tests.e2e.matrix_ground import Ground, standing
from tests.e2e.matrix_places import soon
from tests.e2e.matrix_table import ALL, APIS, CELLS, GAPS, Cell, why_not
from tests.e2e.matrix_wishes import PLAIN, TOOL_NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.e2e.matrix_clients import Client
    from tests.e2e.matrix_ground import Row
    from tests.e2e.matrix_places import Act, Place
    from tests.e2e.matrix_wishes import Said

#: What the SDKs raise, and what they only hand over.
PROBLEMS = (openai.APIError, anthropic.APIError, BrokeOff)
#: A client that left, in the activity log.
CLIENT_LEFT = 499


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def ground(
    anyio_backend: object, tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ground]:
    """The one stack that all cells are played on."""
    async with standing(tmp_path_factory.mktemp("matrix"), tiny_chat) as ground:
        yield ground


def test_every_cell_has_a_test_or_a_reason() -> None:
    assert len(ALL) == len(set(ALL)) == 4 * 2 * 5 * 6
    assert [cell for cell in ALL if (cell in CELLS) == bool(why_not(cell))] == []
    for gap in GAPS:
        assert gap.why
        assert any(gap.holds(cell) for cell in ALL), f"{gap} is about nothing"
    assert len(CELLS) == 240 - 2 * 2 * 5 - 2 * 3 * 2


@pytest.mark.anyio
@pytest.mark.parametrize("cell", CELLS, ids=str)
async def test_cell(ground: Ground, cell: Cell) -> None:
    newest = await ground.log.newest()
    client = ground.client(cell)
    async with ground.places[cell.place].act(cell) as act:
        await PLAYS[cell.case](client, cell, act)
    row = await ground.log.only_one_after(newest)
    assert row["req_path"] == client.api
    assert row["model"] == act.model
    assert row["metadata"]["backend"] == ground.places[cell.place].backend
    if "/" not in act.model:
        assert row["metadata"]["tier"] == act.model
    LOGGED[cell.case](cell, row)
    await ground.log.nothing_in_flight()


async def hear(client: Client, cell: Cell, act: Act) -> Said:
    """The whole answer, whose head names the model."""
    if cell.way == "whole":
        headers, said = await client.ask(act.model, act.wish)
    else:
        async with client.listen(act.model, act.wish) as listener:
            headers, said = listener.headers, await listener.said()
    assert headers["x-llmstack-model"] == act.model
    assert headers["x-llmstack-reason"]
    assert said.model
    assert (said.pieces > 1) == (cell.way == "streamed")
    assert min(said.tokens) > 0
    return said


async def plain(client: Client, cell: Cell, act: Act) -> None:
    said = await hear(client, cell, act)
    assert (said.text, said.calls, said.finish) == (act.answer, (), client.stopped)


async def tools(client: Client, cell: Cell, act: Act) -> None:
    said = await hear(client, cell, act)
    assert (said.calls, said.finish) == (((TOOL_NAME, {"city": "Paris"}),), client.called)


async def image(client: Client, cell: Cell, act: Act) -> None:
    await plain(client, cell, act)
    assert act.saw_picture()


async def error_before(client: Client, cell: Cell, act: Act) -> None:
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as caught:
        await hear(client, cell, act)
    assert act.refusal in caught.value.message
    body: Any = caught.value.body
    if client.api == "/v1/messages":  # OpenAI's SDK has taken off the outer object
        # llama-server writes its errors in OpenAI's words, also where Anthropic's are spoken.
        assert act.plain or body["type"] == "error"
        body = body["error"]
    assert body["message"]
    assert body["type"]
    assert caught.value.response.headers["content-type"].startswith("application/json")


async def error_during(client: Client, cell: Cell, act: Act) -> None:
    """What has begun ends in an error that the SDK knows as one, and soon."""
    if cell.way == "streamed":
        async with client.listen(act.model, act.wish) as listener:
            while not listener.pieces:
                assert await listener.next()
            await act.break_off()
            with pytest.raises(PROBLEMS):
                await listener.said()
        return
    asked = asyncio.create_task(client.ask(act.model, act.wish))
    await act.begun()
    await act.break_off()
    with pytest.raises(PROBLEMS):
        await asked


async def client_leaves(client: Client, cell: Cell, act: Act) -> None:
    if cell.way == "streamed":
        async with client.listen(act.model, act.wish) as listener:
            while not listener.pieces:
                assert await listener.next()
    else:
        asked = asyncio.create_task(client.ask(act.model, act.wish))
        await act.begun()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    await act.left()


PLAYS: dict[str, Any] = {
    "plain": plain,
    "tools": tools,
    "image": image,
    "error before": error_before,
    "error during": error_during,
    "client leaves": client_leaves,
}


def answered(cell: Cell, row: Row) -> None:
    assert row["resp_status_code"] == 200
    assert "error_msg" not in row
    assert row["tokens"]["input_tokens"] + row["tokens"]["cache_tokens"] > 0
    assert row["tokens"]["output_tokens"] > 0
    if cell.place in {"bedrock", "openai", "ollama"}:  # what their servers say
        # Anthropic's words, which pass from an Ollama as they are, count the cached ones apart.
        apart = 3 if (cell.place, cell.api) == ("ollama", "messages") else 0
        assert row["tokens"]["input_tokens"] + apart == 11
        assert row["tokens"]["cache_tokens"] == (0 if cell.place == "bedrock" else 3)
        assert row["tokens"]["output_tokens"] == 5
    assert "ttft_ms" in row["metadata"]


def refused(cell: Cell, row: Row) -> None:
    assert row["resp_status_code"] == 400
    assert row["error_msg"]


def broken(cell: Cell, row: Row) -> None:
    assert row["error_msg"]
    assert row["resp_status_code"] >= 500 or cell.way == "streamed"


def abandoned(cell: Cell, row: Row) -> None:
    assert row["resp_status_code"] == CLIENT_LEFT
    assert row["error_msg"]


LOGGED: dict[str, Any] = {
    "plain": answered,
    "tools": answered,
    "image": answered,
    "error before": refused,
    "error during": broken,
    "client leaves": abandoned,
}


@pytest.mark.anyio
async def test_tokens_are_counted_everywhere(ground: Ground) -> None:
    ground.there.bedrock.answers(Whole({"inputTokens": 7}))
    for name in WINDOWS:
        count = ground.clients.anthropic.messages.count_tokens
        counted = await count(model=name, messages=[{"role": "user", "content": PLAIN.text}])
        assert 3 < counted.input_tokens < 60, name
        assert counted.input_tokens == 7 or name != "far-bedrock"
    await ground.log.nothing_in_flight()


@pytest.mark.anyio
async def test_all_places_answer_side_by_side(ground: Ground) -> None:
    """Each in the words of its client, and nobody gets another's answer."""

    async def at(name: str, place: Place) -> None:
        for cell in CELLS:
            if (cell.place, cell.case) == (name, "plain"):
                async with place.act(cell) as act:
                    await plain(ground.client(cell), cell, act)

    await asyncio.gather(*(at(name, place) for name, place in ground.places.items()))
    await ground.log.nothing_in_flight()


@pytest.mark.anyio
async def test_many_abandoned_streams_leave_nothing_behind(ground: Ground) -> None:
    """At the hosted places, which pay for what they go on saying to nobody."""
    there = ground.there
    for place in ("bedrock", "openai", "ollama"):
        cells = [Cell(api, "streamed", place, "client leaves") for api in APIS]
        for cell in cells * 10:
            async with ground.places[place].act(cell) as act:
                await client_leaves(ground.client(cell), cell, act)
    await ground.log.nothing_in_flight()
    assert not there.bedrock.open
    await soon(lambda: not there.bedrock.connections, "connections to Bedrock have ended", 10)


@pytest.mark.anyio
async def test_the_list_has_what_runs_here_what_is_hosted_and_what_is_found(
    ground: Ground,
) -> None:
    await asyncio.gather(*(ground.clients.of("chat").ask(n, PLAIN) for n in FOUND))
    listed = {model.id: model.model_extra async for model in ground.clients.openai.models.list()}
    assert next(iter(listed)) == "auto"
    windows = {name: listed[name]["context_length"] for name in WINDOWS}
    assert windows == WINDOWS
    assert not any(name.startswith("neighbour/neighbour") for name in listed)


FOUND = ("ollama/tiny:latest", "neighbour/small")
#: Of the names of every place, the window in tokens.
WINDOWS = {
    "small": 8192,
    "endless": 8192,
    "far-bedrock": 204_800,
    "far-openai": 204_800,
    "ollama/tiny:latest": 4096,
    "neighbour/small": 8192,
    "neighbour/endless": 8192,
}
