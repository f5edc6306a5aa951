"""A request that names a model: in JSON, in a form, in multipart, or in the query.

Rules: llama-swap's behaviour report, section 3.4. One is wider: a body that begins as JSON does is
read as JSON even when its content type is that of a form, which is what curl sends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from llmstack.dialects import asked, replace_model
from llmstack.dialects.filters import apply_filters
from llmstack.server.asgi import header
from llmstack.server.forms import (
    form_value,
    multipart_value,
    with_form_value,
    with_multipart_value,
)

if TYPE_CHECKING:
    from llmstack.config.swap import Filters, SwapModel
    from llmstack.server.asgi import Scope

Encoding = Literal["json", "form", "multipart", "query"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The parts of a request in which a model can be named. ``model`` may be empty."""

    encoding: Encoding
    model: str
    stream: bool
    body: bytes
    query: bytes
    content_type: bytes = b""

    def named(self, name: str) -> ModelRequest:
        """This request, asking for the model ``name``.

        Raises:
            BadRequest: the body cannot be edited.
        """
        if name == self.model:
            return self
        body, query = self.body, self.query
        match self.encoding:
            case "json":
                body = replace_model(body, name)
            case "multipart":
                body = with_multipart_value(body, self.content_type, "model", name)
            case "form":
                body = with_form_value(body, "model", name)
                query = with_form_value(query, "model", name)
            case "query":
                query = with_form_value(query, "model", name)
        return replace(self, model=name, body=body, query=query)

    def filtered(self, model: SwapModel) -> ModelRequest:
        """This request as ``model``'s filters want it; byte for byte the same without any.

        Raises:
            RequestError: a filter cannot be applied.
        """
        name = model.use_model_name
        if self.encoding == "multipart" and name:
            body = with_multipart_value(self.body, self.content_type, "model", name)
            return replace(self, body=body)
        return self._edited(model.filters, name) if name or model.filters else self

    def filtered_for_peer(self, filters: Filters, model: str) -> ModelRequest:
        """This request for a peer's ``model``, as the peer's filters want it."""
        return (self._edited(filters, "") if filters else self).named(model)

    def _edited(self, filters: Filters, use_model_name: str) -> ModelRequest:
        if self.encoding != "json":
            return self
        body = apply_filters(
            self.body,
            use_model_name=use_model_name,
            strip=filters.strip_params,
            set_params=filters.set_params,
            set_by_id=filters.set_params_by_id.get(self.model, {}),
        )
        return replace(self, body=body)


def read_request(scope: Scope, body: bytes) -> ModelRequest:
    """What the request says about its model.

    Raises:
        BadRequest: the body is not what its content type says.
    """
    query: bytes = scope["query_string"]
    if scope["type"] == "websocket" or scope["method"] in ("GET", "HEAD"):
        stream = form_value(query, "stream") == "true"
        return ModelRequest("query", form_value(query, "model"), stream, body, query)
    kind = header(scope, b"content-type") or b""
    plain = kind.lower()
    if b"application/json" in plain:
        return json_request(body, query)
    if b"multipart/form-data" in plain:
        model = multipart_value(body, kind, "model")
        stream = multipart_value(body, kind, "stream") == "true"
        return ModelRequest("multipart", model, stream, body, query, kind)
    if body[:64].lstrip()[:1] in (b"{", b"["):
        return json_request(body, query)
    model = form_value(body, "model") or form_value(query, "model")
    stream = (form_value(body, "stream") or form_value(query, "stream")) == "true"
    return ModelRequest("form", model, stream, body, query)


def json_request(body: bytes, query: bytes) -> ModelRequest:
    """A request whose body is JSON. Only the model and the stream flag are decoded."""
    model, stream = asked(body)
    return ModelRequest("json", model or "", stream, body, query)
