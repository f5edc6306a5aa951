"""What an upstream gets of a client's request: its headers, its body, and our key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmstack.dialects import replace_model
from llmstack.dialects.defaults import fill_defaults
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.backends.protocol import Ask, Headers
    from llmstack.config.hosted import Hosted
    from llmstack.config.stack import Sampler

#: The client's, which are between it and us, or hop-by-hop. What it may know is not for others.
_OURS = frozenset(
    {
        b"accept-encoding",
        b"connection",
        b"content-length",
        b"expect",
        b"forwarded",
        b"host",
        b"keep-alive",
        b"origin",  # of a page; Ollama refuses those that it does not know
        b"proxy-authenticate",
        b"proxy-connection",
        b"referer",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
        b"x-real-ip",
    }
)
#: What lets the client in elsewhere: at a proxy before us, as a rule.
_CREDENTIAL = re.compile(
    rb"(?:^|[-_])(?:auth|token|secret|password|credentials?|jwt|assertion"
    rb"|(?:api|access|subscription)[-_]?key)(?:[-_]|$)|authorization|cookie"
)
#: Of proxies and browsers: where the client is, and what it looks at.
_ABOUT = (b"x-forwarded-", b"sec-")
#: What a section cannot set, because it says how we read and write bodies.
_FRAMING = frozenset({b"accept-encoding", b"content-length", b"transfer-encoding", b"connection"})
_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: What the Messages API asks of every request; clients of other APIs do not send it.
_VERSION = (b"anthropic-version", b"2023-06-01")

#: The names of the sampling defaults that each API has.
_SAMPLED: Mapping[str, tuple[str, ...]] = {
    "/v1/chat/completions": ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"),
    "/v1/completions": ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"),
    "/v1/messages": ("temperature", "top_p", "top_k"),
    "/v1/responses": ("temperature", "top_p"),
}


class Credentials:
    """The key and the headers of one section, read from the environment whenever they are used."""

    def __init__(self, name: str, hosted: Hosted, environ: Mapping[str, str]) -> None:
        self._name = name
        self._hosted = hosted
        self._environ = environ

    def trouble(self) -> str:
        """Why they cannot be used, naming the variable and never its value; or nothing."""
        try:
            self.key()
            self.headers()
        except BackendFailed as error:
            return str(error)
        return ""

    def key(self) -> str:
        """The key, empty for an upstream that needs none.

        Raises:
            BackendFailed: its variable is not set.
        """
        name = self._hosted.api_key_env
        return self._variable(name) if name else ""

    def headers(self) -> Headers:
        """The headers that the section adds.

        Raises:
            BackendFailed: one of them cannot be sent.
        """
        headers = []
        for name, written in self._hosted.headers:
            variable = _NAME.fullmatch(written.strip())
            value = self._variable(variable[1]) if variable else written.strip()
            if not _TOKEN.fullmatch(name) or _CONTROL.search(value):
                raise self._unusable(f"the header {name!r} of [{self._name}] cannot be sent")
            headers.append((name.lower().encode(), value.encode()))
        return headers

    def hidden(self, text: str) -> str:
        """``text`` without our secrets, should the upstream repeat them."""
        for name, value in self._secrets():
            text = text.replace(value, f"${name}")
        return text

    def hidden_bytes(self, data: bytes) -> bytes:
        """As ``hidden``, for a body or a piece of one."""
        for name, value in self._secrets():
            data = data.replace(value.encode(), b"$" + name.encode())
        return data

    def _secrets(self) -> Iterator[tuple[str, str]]:
        """The variables that hold them, and their values."""
        names = [self._hosted.api_key_env]
        for _, written in self._hosted.headers:
            if variable := _NAME.fullmatch(written.strip()):
                names.append(variable[1])
        for name in names:
            value = self._environ.get(name, "").strip() if name else ""
            if len(value) >= 4:
                yield name, value

    def _variable(self, name: str) -> str:
        value = self._environ.get(name, "").strip()
        if not value:
            raise self._unusable(
                f"[{self._name}] cannot be used: the variable {name} is not set",
                fix=f"Set {name} in the environment of the daemon and restart it.",
            )
        if _CONTROL.search(value):
            raise self._unusable(
                f"[{self._name}] cannot be used: the value of {name} has a control character",
                fix=f"Set {name} to a single line.",
            )
        return value

    @staticmethod
    def _unusable(what: str, *, fix: str = "") -> BackendFailed:
        return BackendFailed(what, status=503, code="unusable", elsewhere=True, fix=fix)


def outgoing_headers(
    told: Headers,
    credentials: Credentials,
    *,
    messages: bool,
    bearer: bool,
    translated: bool = False,
) -> Headers:
    """The headers of a request, of what the client ``told``.

    ``messages`` says that it is for Anthropic's API, ``bearer`` that the upstream takes OpenAI's
    form of keys, ``translated`` that the client speaks another API than the upstream.

    Raises:
        BackendFailed: there is no key.
    """
    key = credentials.key().encode()
    added = credentials.headers()
    names = {name for name, _ in added}
    headers = [
        (name, value)
        for name, value in told
        if name not in _OURS
        and name not in names
        and not name.startswith(_ABOUT)
        and not _CREDENTIAL.search(name)
        and not (translated and name.startswith((b"anthropic-", b"openai-", b"content-type")))
    ]
    if translated:
        headers.append((b"content-type", b"application/json"))
    headers.append((b"accept-encoding", b"identity"))
    if key and bearer and b"authorization" not in names:
        headers.append((b"authorization", b"Bearer " + key))
    if messages:
        # Anthropic's own API takes this one; gateways before it often the other.
        if key and b"x-api-key" not in names:
            headers.append((b"x-api-key", key))
        if not any(name == _VERSION[0] for name, _ in (*headers, *added)):
            headers.append(_VERSION)
    return headers + [pair for pair in added if pair[0] not in _FRAMING]


def outgoing_body(ask: Ask, sampler: Sampler) -> bytes:
    """The client's body with the upstream's name of the model and the tier's defaults.

    What is no JSON object (a form, nothing at all) stays as it is.

    Raises:
        BadRequest: it should be JSON and is not.
    """
    kind = next((value for name, value in ask.headers if name == b"content-type"), b"")
    if not ask.body or (b"json" not in kind.lower() and not ask.body.lstrip().startswith(b"{")):
        return ask.body
    return sampled(replace_model(ask.body, ask.model), ask.path, sampler)


def sampled(body: bytes, path: str, sampler: Sampler) -> bytes:
    """``body`` with the tier's defaults in the words of the API ``path``.

    Raises:
        BadRequest: it is no JSON object.
    """
    values = {
        "temperature": sampler.temp,
        "top_p": sampler.top_p,
        "top_k": sampler.top_k,
        "min_p": sampler.min_p,
        "repetition_penalty": sampler.rep_pen,
    }
    names = _SAMPLED.get(path, ())
    return fill_defaults(
        body, {name: value for name in names if (value := values[name]) is not None}
    )
