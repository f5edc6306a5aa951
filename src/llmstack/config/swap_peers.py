"""The ``peers`` section of a llama-swap configuration, and the names that it reserves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config.macros import has_macro
from llmstack.config.swap import Peer
from llmstack.config.swap_filters import read_filters, read_timeouts
from llmstack.config.swap_models import read_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.config.swap_fields import Report, Section


def read_peers(sections: dict[str, Section]) -> dict[str, Peer]:
    """The peers in file order; problems go to the sections' report."""
    return {peer_id: _read_peer(section, peer_id) for peer_id, section in sections.items()}


def _read_peer(section: Section, peer_id: str) -> Peer:
    return Peer(
        id=peer_id,
        proxy=_proxy(section, peer_id),
        models=_models(section, peer_id),
        api_key=section.text("apiKey"),
        filters=read_filters(section.section("filters"), f"peer {peer_id}"),
        timeouts=read_timeouts(section.section("timeouts")),
        discover=section.boolean("discover"),
    )


def _proxy(section: Section, peer_id: str) -> str:
    if section["proxy"] is None or section["proxy"] == "":
        message = f"peers.{peer_id}: proxy is required"
        section.report.error(section.path, message, "Write proxy: http://<host>:<port>.")
        return ""
    return read_proxy(section, f"peers.{peer_id}: ")


def _models(section: Section, peer_id: str) -> tuple[str, ...]:
    models = section.texts("models")
    told = models or (section["models"] and not isinstance(section["models"], list))
    if not told and not section.boolean("discover"):
        message = f"peers.{peer_id}: peer models can not be empty"
        fix = "List the models that it serves, or write discover: true."
        section.report.error(section.path, message, fix)
    found: dict[str, None] = {}
    for index, model in enumerate(models):
        path = (*section.at("models"), index)
        if not model.strip():
            message = f"peers.{peer_id}: an empty model name is ignored"
            section.report.warning(path, message, "Remove it.")
        elif model in found:
            message = f"peers.{peer_id}: model {model} is listed twice"
            section.report.warning(path, message, "Remove one of them.")
        elif not has_macro(model):
            found[model] = None
    return tuple(found)


def check_reserved(
    report: Report, peers: Mapping[str, Peer], models: Mapping[str, SwapModel]
) -> frozenset[str]:
    """The canonical names ``PEER/MODEL``, which nothing else may be called."""
    owners: dict[str, str] = {}
    for peer in peers.values():
        for model in peer.models:
            name = f"{peer.id}/{model}"
            if (other := owners.setdefault(name, peer.id)) != peer.id:
                message = f'peers.{peer.id}: peer model "{name}" is also a model of peer {other}'
                report.error(("peers", peer.id, "models"), message, "Rename one of the peers.")
    for model_id, entry in models.items():
        if model_id in owners:
            message = f'model ID "{model_id}" conflicts with peer model "{model_id}"'
            report.error(("models", model_id), message, "Rename the model or the peer.")
        for alias in entry.aliases:
            if alias in owners:
                message = f'model {model_id}: alias "{alias}" conflicts with peer model "{alias}"'
                path = ("models", model_id, "aliases")
                report.error(path, message, "Remove the alias, or rename the peer.")
    return frozenset(owners)
