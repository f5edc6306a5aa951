"""What is wrong with a hosted tier before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.read_hosted import on_aws, region_is_well_formed
from llmstack.config.upstream_url import url_fault
from llmstack.config.variables import only_variable, variables_in
from llmstack.hub.aws_profile import aws_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.config.hosted import Hosted


def static_problem(hosted: Hosted, environ: Mapping[str, str]) -> str:
    """Why requests to ``hosted`` cannot succeed here; empty if nothing speaks against it.

    ``hosted`` is that of a stack with its environment put over it. Quick, and without network;
    what is said is one line and holds no secret.
    """
    return next(_problems(hosted, environ), "")


def place_of(hosted: Hosted) -> str:
    """Where it is, in a few words: region and profile, or the address."""
    if hosted.base_url or not on_aws(hosted.backend):
        return hosted.base_url
    parts = [hosted.region, hosted.profile and f"profile {hosted.profile}", hosted.endpoint_url]
    return ", ".join(part for part in parts if part)


def _problems(hosted: Hosted, environ: Mapping[str, str]) -> Iterator[str]:
    aws = on_aws(hosted.backend)
    values = {
        "aws_model_id" if aws else "model_name": hosted.model,
        "base_url": hosted.base_url,
        "aws_region": hosted.region,
        "aws_profile": hosted.profile,
        "aws_endpoint_url": hosted.endpoint_url,
    }
    for key, value in values.items():
        for name in variables_in(value):
            yield f"{key} names the variable {name}, which is not set"
    for key in ("base_url", "aws_endpoint_url"):
        if values[key] and (fault := url_fault(values[key])[0]):
            yield f"{key}: {fault}"
    if hosted.region and not region_is_well_formed(hosted.region):
        yield "aws_region: the value is not a region"
    if hosted.api_key_env and not environ.get(hosted.api_key_env, "").strip():
        yield f"api_key_env names the variable {hosted.api_key_env}, which is not set"
    for name, value in hosted.headers:
        variable = only_variable(value)
        if variable and not environ.get(variable, "").strip():
            yield f"the header {name} names the variable {variable}, which is not set"
    if aws and (problem := aws_problem(hosted.profile, hosted.region, environ)):
        yield problem
