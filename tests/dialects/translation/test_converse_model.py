"""What is written is valid by botocore's own model of the service."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings

from llmstack.dialects.translation.conversation import Conversation, Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.errors import BadRequest

from .conversations import conversations, models

session = pytest.importorskip("botocore.session")
validate = pytest.importorskip("botocore.validate")
service = session.Session().get_service_model("bedrock-runtime")


def check(shape: Any, value: Any, path: str = "") -> None:
    """What botocore leaves to the service: patterns, upper bounds, enumerations and unions."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        if getattr(shape, "is_tagged_union", False):
            assert len(value) == 1, path
        for name, member in value.items():
            check(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for at, member in enumerate(value):
            check(shape.member, member, f"{path}[{at}]")
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        assert not pattern or re.fullmatch(pattern, value), path
        assert len(value) <= shape.metadata.get("max", len(value)), path
        assert not getattr(shape, "enum", None) or value in shape.enum, path
    elif shape.type_name in ("integer", "float"):
        assert value <= shape.metadata.get("max", value), path


@given(conversations, models)
@settings(max_examples=100, deadline=None)
def test_every_body_is_valid_for_the_service(conversation: Conversation, model_id: str) -> None:
    try:
        body = write_converse(conversation, model_id, Sampling(temperature=0.5, top_k=3))
    except BadRequest:
        assume(False)
    for name in ("Converse", "ConverseStream"):
        shape = service.operation_model(name).input_shape
        report = validate.ParamValidator().validate(body, shape)
        assert not report.has_errors(), report.generate_report()
        check(shape, body)
