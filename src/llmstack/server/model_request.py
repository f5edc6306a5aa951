"""A request that names a model: in JSON, in a form, in multipart, or in the query.

Rules: llama-swap's behaviour report, section 3.4. One is wider: a body that begins as JSON does is
read as JSON even when its content type is that of a form, which is what curl sends by itself. One
is stricter: JSON that is broken is an error at once, before any model is loaded for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import replace

from llmstack.dialects import replace_model
from llmstack.dialects.filters import apply_filters
from llmstack.dialects.layout import cut
from llmstack.dialects.wire import decode_envelope, model_name
from llmstack.errors import BadRequest
from llmstack.server.asgi import header
from llmstack.server.forms import (
    form_of,
    form_value,
    form_values,
    multipart_value,
    multipart_values,
    with_form_value,
    with_multipart_value,
)

if TYPE_CHECKING:
    from llmstack.config.swap import Filters, SwapModel
    from llmstack.server.asgi import Scope

#: The name of a multipart field, wherever it stands.
_MODEL_FIELD = re.compile(rb"(?i)\bname\s*=\s*[\"']?model\b")
#: What some JSON parsers pass over before the text.
_UNSEEN = b" \t\r\n\xef\xbb\xbf"

Encoding = Literal["json", "form", "multipart", "query"]


class ModelRequest(msgspec.Struct, frozen=True):
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

    def check_only_name(self) -> None:
        """Make sure that no reader can take another model than ``model`` for the one that is meant.

        Parsers differ in which of several members they take, and in whether the query counts. A
        key that is for this model only must not reach another one by that.

        Raises:
            BadRequest: the request names another model too.
        """
        names: list[object] = [*form_values(self.query, "model")]
        match self.encoding:
            case "json":
                names += _model_members(self.body)
            case "multipart":
                names += multipart_values(self.body, self.content_type, "model")
                if len(_MODEL_FIELD.findall(self.body)) > 1:  # a file, or behind another boundary
                    names.append(None)
            case "form":
                names += form_values(self.body, "model")
                if self.body.lstrip(_UNSEEN)[:1] == b"{":
                    names += _model_members(self.body.lstrip(_UNSEEN))
        if any(name != self.model for name in names):
            raise BadRequest(
                "the request names more than one model",
                why="Your API key is for some models only.",
                fix="Name the model once.",
            )

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


def _model_members(body: bytes) -> list[object]:
    """The values of all members that some reader takes for the model; Go's ignore the case."""
    try:
        items = cut(body).items
        found = [item.value for item in items if item.key and item.key.lower() == "model"]
        return [msgspec.json.decode(value) for value in found]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadRequest(
            "the request names more than one model, or none that can be read", why=str(error)
        ) from None


def read_request(scope: Scope, body: bytes) -> ModelRequest:
    """What the request says about its model.

    Raises:
        BadRequest: the body is not what its content type says.
        BodyTooLarge: it is a form beyond the limit of forms.
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
    form = form_of(body, declared=b"urlencoded" in plain)
    model = form_value(form, "model") or form_value(query, "model")
    stream = (form_value(form, "stream") or form_value(query, "stream")) == "true"
    return ModelRequest("form", model, stream, body, query)


def json_request(body: bytes, query: bytes) -> ModelRequest:
    """A request whose body is JSON. Only the model and the stream flag are decoded.

    A body that is empty or no object names no model; a number or a boolean names what it is
    written as, and what counts as true for ``stream`` is what does for llama-swap (its gjson).

    Raises:
        BadRequest: the body is not JSON, or its model is an object or a list.
    """
    if not body.startswith(b"{") and _is_no_object(body):
        return ModelRequest("json", "", False, body, query)
    envelope = decode_envelope(body)
    model = _written(envelope.model) or model_name(envelope) or ""
    return ModelRequest("json", model, _is_true(envelope.stream), body, query)


def _is_no_object(body: bytes) -> bool:
    """Whether ``body`` is empty or JSON of another kind."""
    text = body.lstrip(b" \t\r\n")
    if not text or text.startswith(b"{"):
        return not text
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _written(model: Any) -> str:
    """A number or a boolean as JSON writes it, without an exponent; nothing for other values."""
    if isinstance(model, bool):
        return "true" if model else "false"
    if isinstance(model, float):
        return f"{model:f}".rstrip("0").rstrip(".")
    return str(model) if isinstance(model, int) else ""


def _is_true(stream: Any) -> bool:
    if isinstance(stream, str):
        return stream.lower() in ("1", "t", "true")
    return isinstance(stream, (bool, int, float)) and stream != 0
