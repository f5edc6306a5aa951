"""The records of ``GET /v1/models`` (llama-swap's behaviour report, section 3.6)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from llmstack.config.names import Local, Unknown
from llmstack.config.swap import Capabilities
from llmstack.engine import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from llmstack.backends.protocol import Offered
    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.names import Selected, Target
    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine
    from llmstack.routing import Ladder
    from llmstack.server.naming import Naming

#: Members of a record that a model's metadata cannot take the place of.
_RESERVED = ("architecture", "capabilities", "supported_parameters", "context_length")

#: Capabilities by what goes in and what comes out.
_ABILITIES = (
    ("vision", "image", None),
    ("audio_transcriptions", "audio", "text"),
    ("audio_speech", "text", "audio"),
    ("image_generation", "text", "image"),
    ("image_to_image", "image", "image"),
)


class Listing:
    """Lists the names that a client may ask for."""

    def __init__(self, engine: Engine, naming: Naming, upstreams: Upstreams | None = None) -> None:
        self._engine = engine
        self._naming = naming
        self._upstreams = upstreams

    def records(
        self, allowed: Callable[[Target], bool], *, own: bool = False
    ) -> list[dict[str, Any]]:
        """One record per listed name whose target is ``allowed``, sorted by id in byte order.

        With ``own`` without the models of peers that were found, for a peer that asks what we have.
        """
        names = self._naming.names
        rows = [
            *self._models(),
            *self._peers(),
            *self._selectors(),
            *self._pins(),
            *self.hosted(own=own),
        ]
        created = int(time.time())
        shown = []
        for row in rows:
            if not allowed(names.resolve(row["id"], self._naming.active)):
                continue
            row["created"] = created
            shown.append(row)
        return sorted(shown, key=lambda row: str(row["id"]).encode())

    def _models(self) -> list[dict[str, Any]]:
        config = self._engine.config
        rows = []
        for model in config.models.values():
            if model.unlisted:
                continue
            about = {"aliases": list(model.aliases)} if model.aliases else {}
            rows.append(self._model(model, model.id, {"type": "model", **about}))
            if config.include_aliases_in_list:
                told = {"type": "alias", "modelID": model.id}
                rows += [self._model(model, alias, dict(told)) for alias in model.aliases]
        return rows

    def _model(self, model: SwapModel, name: str, about: dict[str, Any]) -> dict[str, Any]:
        loaded = self._engine.state(model.id) is not State.STOPPED
        metadata = dict(model.metadata)
        able = _capable(model.capabilities)
        if able:
            metadata = {key: value for key, value in metadata.items() if key not in _RESERVED}
        row = _record(name, {**metadata, **about}, model.name, model.description, loaded=loaded)
        row |= able
        if model.capabilities and model.capabilities.context > 0:
            row["meta"]["n_ctx"] = model.capabilities.context
        elif self._upstreams and (tier := self._upstreams.tiers.get(model.id)):
            _with_context(row, tier.ctx_size)
        return row

    def _peers(self) -> list[dict[str, Any]]:
        return [
            _record(
                remote.canonical,
                {"type": "peer", "peerID": remote.peer},
                f"{remote.peer}: {remote.model}",
            )
            for remote in self._naming.names.canonical.values()
            if self._is_declared(remote.peer, remote.model)
        ]

    def hosted(self, *, own: bool = False) -> list[dict[str, Any]]:
        """Tiers that others host, and models that were found; with ``own`` not those of peers."""
        upstreams = self._upstreams
        if upstreams is None:
            return []
        rows = []
        for name, aliases in upstreams.aliases.items():
            tier, health = upstreams.tiers[name], upstreams.backend(name).health()
            where = upstreams.hosted(name)
            about = {
                "type": "hosted",
                "backend": where.backend if where else "",
                "upstream_model": where.model if where else "",
                "tier": tier.label,
                "role": tier.role,
                "ctx_size": tier.ctx_size,
                "state": health.state,
            }
            if aliases:
                about["aliases"] = list(aliases)
            row = _record(name, about, tier.description, tier.description, loaded=health.usable)
            rows.append(_with_context(row, tier.ctx_size))
            rows += [
                _with_context(
                    _record(alias, {"type": "alias", "modelID": name}, loaded=health.usable),
                    tier.ctx_size,
                )
                for alias in aliases
            ]
        for source, offers in upstreams.found(own=own).items():
            kind = upstreams.kind(source)
            rows += [
                _found(source, kind, offer)
                for offer in offers
                if not self._is_declared(source, offer.name)
            ]
        return rows

    def _is_declared(self, peer: str, model: str) -> bool:
        declared = self._engine.config.peers.get(peer)
        return declared is not None and model in declared.models

    def _selectors(self) -> list[dict[str, Any]]:
        rows = []
        for name, selected in self._naming.names.selectors.items():
            selector = selected.selector
            if selector.unlisted:
                continue
            about: dict[str, Any] = {
                **selector.metadata,
                "type": "selector",
                "strategy": selector.strategy,
                "targets": list(selector.targets),
            }
            if selector.strategy == "spillover":
                about["spillover"] = selector.spillover
            loaded = self._is_up(selected)
            rows.append(_record(name, about, selector.name, selector.description, loaded=loaded))
        return rows

    def _is_up(self, selected: Selected) -> bool:
        targets = selected.targets
        if selected.selector.strategy == "pin":
            targets = targets[:1]
        up = (State.READY, State.STARTING)
        return any(isinstance(one, Local) and self._engine.state(one.id) in up for one in targets)

    def _pins(self) -> list[dict[str, Any]]:
        names = self._naming.names
        rows = []
        for name, pin in self._naming.pins().items():
            exists = not isinstance(names.resolve(name), Unknown)
            if pin is not None and not exists:
                rows.append(_record(name, {"type": "profile"}))
        return rows


def auto_record(ladder: Ladder) -> dict[str, Any]:
    """The record of ``auto``, which is listed first."""
    return {
        "id": "auto",
        "object": "model",
        "created": 0,
        "owned_by": "llmstack",
        "name": "auto",
        "description": (
            f"Chooses the tier: plan words without tools go to the planner, up to {ladder.high} "
            f"tokens to the best tier, up to {ladder.mid}, with tools or in long conversations to "
            "the agent tier, the rest to the fast one."
        ),
        "tier": "auto",
    }


def list_response(request: Request, rows: list[dict[str, Any]]) -> Response:
    """``rows`` as the list that clients expect, for whatever origin the page that asks has.

    Numbers in metadata that JSON does not have (``.nan``, ``.inf``) are null.
    """
    origin = request.headers.get("origin")
    headers = {"access-control-allow-origin": origin} if origin else None
    text = msgspec.json.encode({"object": "list", "data": rows})
    return Response(text, media_type="application/json", headers=headers)


def _record(
    name: str,
    about: Mapping[str, Any],
    title: str = "",
    description: str = "",
    *,
    loaded: bool = False,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "llama-swap",
        "status": {"value": "loaded" if loaded else "unloaded"},
        "meta": {"llamaswap": dict(about)},
    }
    if title.strip():
        row["name"] = title.strip()
    if description.strip():
        row["description"] = description.strip()
    return row


def _found(source: str, backend: str, offer: Offered) -> dict[str, Any]:
    """The record of a model that a source has; it cannot be changed from here."""
    about: dict[str, Any] = {
        "type": "found",
        "provider": source,
        "backend": backend,
        "external": True,
        "ctx_reference": offer.context,
    }
    if offer.trained:
        about["ctx_trained"] = offer.trained
    if offer.embedding:
        about["embedding"] = True
    row = _record(
        f"{source}/{offer.name}",
        about,
        f"{source}: {offer.name}",
        offer.description,
        loaded=bool(offer.loaded),
    )
    row["owned_by"] = source
    inputs = ("text", "image") if offer.vision else ()
    row |= _capable(Capabilities(inputs, ("text",) if inputs else (), offer.tools))
    return _with_context(row, offer.context)


def _with_context(row: dict[str, Any], context: int) -> dict[str, Any]:
    if context > 0:
        row["context_length"] = row["meta"]["n_ctx"] = context
    return row


def _capable(capabilities: Capabilities | None) -> dict[str, Any]:
    """What a record says of capabilities; nothing without any."""
    if capabilities is None or capabilities == type(capabilities)():
        return {}
    into, out = capabilities.inputs, capabilities.outputs
    told: dict[str, Any] = {}
    architecture: dict[str, Any] = {}
    if into:
        architecture["input_modalities"] = list(into)
    if out:
        architecture["output_modalities"] = list(out)
    if into and out:
        architecture["modality"] = f"{'+'.join(into)}->{'+'.join(out)}"
    if architecture:
        told["architecture"] = architecture
    able = {
        name: True
        for name, source, result in _ABILITIES
        if source in into and (result is None or result in out)
    }
    if capabilities.tools:
        able["function_calling"] = True
        told["supported_parameters"] = ["tools", "tool_choice"]
    if capabilities.reranker:
        able["reranker"] = True
    if able:
        told["capabilities"] = able
    if capabilities.context > 0:
        told["context_length"] = capabilities.context
    return told
