"""The description of the HTTP surface, and a running ``llmstack swap`` held to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

from llmstack.server.openapi import ABOUT
from tests.cli.swaps import Swap, swapping
from tests.engine.fake_model_server import command
from tests.server.conftest import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis.core.transport import Response
    from schemathesis.schemas import APIOperation, BaseSchema

#: Generated requests to each operation, of those that fit its description and of those that do not.
EXAMPLES = 6
#: Seconds for one answer. Every model is quick.
PATIENCE = 20.0
#: Streams that end when the client leaves; tests of their own read them.
ENDLESS = "/api/events", "/logs/stream"
#: Routes whose parameters may be wrong.
PICKY = "/activity", "/activity/export"
#: Names that mean something, so that not every request is one for an unknown model.
NAMES = ("one", "first", "org/two", "away/far", "any", "off", "broken", "nobody")
#: The only errors of ours that may come without a mistake of the client.
#: A peer that failed several times is not asked for a while.
OWN = {"broken": {500}, "away/far": {502, 503}, "any": {502, 503}}

CHECKED = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
CONFIG = """
groups: {all: {swap: false, exclusive: false, members: [one, org/two, broken]}}
healthCheckTimeout: 15
peers: {away: {proxy: "http://127.0.0.1:%d", models: [far]}}
selectors: {any: {strategy: pin, targets: [away/far]}}
profiles: {quiet: {pins: {"off": null, first: org/two}}}
models:
  one: {aliases: [first], cmd: %s, proxy: "http://127.0.0.1:%d"}
  org/two: {cmd: %s, proxy: "http://127.0.0.1:%d"}
  broken: {cmd: no-such-program, proxy: "http://127.0.0.1:1"}
"""


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swap]:
    nobody, one, two = free_ports(3)
    commands = json.dumps(command(port=one)), one, json.dumps(command(port=two)), two
    with swapping(tmp_path_factory.mktemp("described"), CONFIG % (nobody, *commands)) as swap:
        yield swap


def test_the_description_is_served_and_names_every_route(swap: Swap) -> None:
    status, told = swap.ask("/api/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    assert set(told["paths"]["/v1/audio/voices"]) == {"get", "post"}
    assert set(told["paths"]["/api/profiles/active"]) == {"put"}
    assert told["paths"]["/health"]["get"]["security"] == []
    assert "security" not in told["paths"]["/running"]["get"]
    described = {path.rpartition(" ")[2].replace(":path", "") for path in ABOUT}
    assert described <= set(told["paths"]), "something is told of a route that there is not"


@pytest.mark.parametrize("mode", GenerationMode)
def test_no_request_gets_an_answer_that_is_not_described(swap: Swap, mode: GenerationMode) -> None:
    """No undocumented status or content type, no 5xx without its cause, no hang."""
    document = swap.ask("/api/openapi.json")[1]
    load_all_checks()
    schema: BaseSchema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig())
    for path in ENDLESS:
        schema = schema.exclude(path_regex=f"^{path}")
    operations = [result.ok() for result in schema.get_all_operations()]
    if mode.is_negative:  # no text is wrong where any text may be sent
        operations = [one for one in operations if one.body or one.path.endswith(PICKY)]
    assert len(operations) > 25
    with requests.Session() as session:
        for operation in operations:
            drive(f"http://127.0.0.1:{swap.port}", operation, mode, session)
    assert swap.ask("/health") == (200, "OK")
    assert not [line for line in swap.lines if "Traceback" in line]


def drive(
    url: str, operation: APIOperation, mode: GenerationMode, session: requests.Session
) -> None:
    """Send generated requests to one operation and judge the answers."""
    checks = CHECKS.get_by_names(CHECKED)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), name=st.sampled_from((None, *NAMES)))
    def answered(case: schemathesis.Case, name: str | None) -> None:
        if name is not None:
            put_model(case, name)
        answer: Response = case.call(url, session, timeout=PATIENCE)
        case.validate_response(answer, checks=checks)
        if answer.status_code >= 500:
            assert answer.status_code in OWN.get(name or "", ()), answer.text

    answered()


def put_model(case: schemathesis.Case, name: str) -> None:
    """Name a model wherever the request names one."""
    places: list[Any] = [case.body, case.query, case.path_parameters]
    for place in places:
        if isinstance(place, dict) and "model" in place:
            place["model"] = name
