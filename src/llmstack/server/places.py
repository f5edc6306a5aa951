"""Where requests for a name end: the stop for what was chosen, and those to fall back on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.config.names import HostedModel, Local
from llmstack.config.swap_parts import Filters
from llmstack.errors import Forbidden, ModelNotFound, RequestError
from llmstack.server.model_paths import MODEL_GETS, MODEL_POSTS
from llmstack.server.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.backends.protocol import Backend
    from llmstack.backends.upstreams import Upstreams
    from llmstack.config.names import Choice, Remote
    from llmstack.config.swap import SwapModel
    from llmstack.server.access import Access
    from llmstack.server.asgi import Scope
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.model_request import ModelRequest
    from llmstack.server.naming import Naming

_NO_FILTERS = Filters()
#: The kinds of servers whose other paths may be asked for: one like ours, which has its own keys
#: for what not everybody may do, and one that looks at paths itself.
_WHOLE = frozenset({"peer", "ollama"})


class Places:
    """The stops of one door's requests. ``upstreams`` has what others host."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        naming: Naming,
        access: Access,
        upstreams: Upstreams | None,
    ) -> None:
        self._dispatcher = dispatcher
        self._naming = naming
        self._access = access
        self._upstreams = upstreams

    def stop(
        self, scope: Scope, request: ModelRequest, choice: Choice, raw_path: bytes | None
    ) -> Stop:
        """The stop at ``choice``, with the request as it is to see it.

        Raises:
            RequestError: it is gone, its filters cannot be applied, or its budget is spent.
        """
        if isinstance(choice, Local):
            model = self._dispatcher.engine.config.models[choice.id]
            request = request.named(choice.name).filtered(model)
            out = outgoing(self._access, scope, request, model)
            upstreams = self._upstreams
            return self._dispatcher.here(
                out,
                model,
                request.body,
                raw_path,
                stream=request.stream,
                tier=upstreams.tier_called(choice.name) if upstreams else "",
                fitted=request.encoding == "json",
            )
        place = self._place(choice)
        request = request.filtered_for_peer(place.filters, place.model)
        out = outgoing(self._access, scope, request)
        fitted = request.encoding == "json"
        return place.stop(out, request.body, raw_path, stream=request.stream, fitted=fitted)

    def passing(
        self, scope: Scope, choice: Remote | HostedModel, body: bytes, raw_path: bytes
    ) -> Stop:
        """The stop at a model that others host, for a request that nobody looks into.

        Raises:
            RequestError: it is gone, its budget is spent, or the request is not for the model.
        """
        place = self._place(choice)
        if place.kind not in _WHOLE and not _is_for_a_model(scope["method"], raw_path):
            raise Forbidden(
                f"{place.name} can be asked, and nothing else of its server",
                why="Our key would be shown for what a page that somebody looks at asks for.",
                fix="Use the provider's own address and key.",
            )
        return place.stop(scope, body, raw_path)

    def others(
        self, scope: Scope, request: ModelRequest, choice: Choice, raw_path: bytes | None
    ) -> Iterator[Stop]:
        """The stops at the tiers that ``choice`` falls back on, as far as they can be had."""
        upstreams = self._upstreams
        tier = upstreams.tiers.get(choice.canonical) if upstreams else None
        for name in tier.fallback if tier else ():
            target = self._naming.names.model(name)
            if not isinstance(target, (Local, HostedModel)):
                continue
            if not self._access.allows(scope, target):
                continue
            try:
                yield self.stop(scope, request, target, raw_path)
            except RequestError:  # its budget is spent, or it cannot take this request
                continue

    def _place(self, choice: Remote | HostedModel) -> _Place:
        upstreams = self._upstreams
        if isinstance(choice, HostedModel):
            hosted = upstreams.hosted(choice.id) if upstreams else None
            if upstreams is None or hosted is None:
                raise ModelNotFound("no hosted tier found for requested model")
            activity = self._dispatcher.activity
            if activity and (exceeded := activity.budgets.exceeded(choice.id)):
                raise exceeded.error()
            backend = upstreams.backend(choice.id)
            return _Place(choice.id, hosted.backend, backend, hosted.model, tier=choice.id)
        peer = self._dispatcher.engine.config.peers.get(choice.peer)
        # A reload may have removed the peer while its request came in.
        if upstreams is None or not (peer or upstreams.source(choice.peer)):
            raise ModelNotFound("no peer found for requested model")
        return _Place(
            choice.canonical,
            upstreams.kind(choice.peer),
            upstreams.backend(choice.peer),
            choice.model,
            peer.filters if peer else _NO_FILTERS,
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """A model that others host; members as ``Stop`` has them."""

    name: str
    kind: str
    backend: Backend
    model: str
    filters: Filters = _NO_FILTERS
    tier: str = ""

    def stop(
        self,
        scope: Scope,
        body: bytes,
        raw_path: bytes | None,
        *,
        stream: bool = False,
        fitted: bool = False,
    ) -> Stop:
        """The stop here, for one request."""
        return Stop(
            self.name,
            self.kind,
            self.backend,
            self.model,
            scope,
            body,
            raw_path,
            self.tier,
            stream,
            fitted=fitted,
        )


def _is_for_a_model(method: str, raw_path: bytes) -> bool:
    """Whether a request asks a model, or for the list of them, and changes nothing."""
    path = raw_path.decode("latin-1")
    if method == "POST":
        return path in MODEL_POSTS
    return method in ("GET", "HEAD") and (path in MODEL_GETS or path == "/v1/models")


def outgoing(
    access: Access, scope: Scope, request: ModelRequest, model: SwapModel | None = None
) -> Scope:
    """``scope`` as the place that serves ``request`` may see it."""
    scope = access.outgoing(scope, keep=model is not None and model.forward_api_key)
    if request.query != scope["query_string"]:
        scope = {**scope, "query_string": request.query}
    return scope
