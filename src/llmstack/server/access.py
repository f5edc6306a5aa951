"""API keys: who may ask, and for what.

Rules: llama-swap's behaviour report, section 3.2. Better here: keys are compared by their digests
in constant time, may be limited to models or kept from management, and are not passed on.
"""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from llmstack.config.names import allows
from llmstack.errors import Forbidden, Unauthorized
from llmstack.server.asgi import header

if TYPE_CHECKING:
    from llmstack.config.names import Target
    from llmstack.config.swap import ApiKey, SwapConfig
    from llmstack.engine import Engine
    from llmstack.server.asgi import Scope

#: Headers in which a client shows its key.
KEY_HEADERS = (b"authorization", b"x-api-key")

#: Where the key that was shown is kept in the scope.
_KEY = "llmstack.key"


class Access:
    """The keys of the engine's present configuration. Without keys everything is allowed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config: SwapConfig | None = None
        self._keys: list[tuple[bytes, ApiKey]] = []

    @property
    def required(self) -> bool:
        """Whether clients need a key."""
        config = self._engine.config
        if config is not self._config:
            self._keys = [(bytes.fromhex(key.sha256), key) for key in config.api_keys]
            self._config = config
        return bool(self._keys)

    def check(self, scope: Scope, *, admin: bool = False) -> None:
        """Note which key the client shows.

        Raises:
            Unauthorized: it shows none that is known.
            Forbidden: ``admin`` is needed and the key does not have it.
        """
        if not self.required:
            return
        digest = sha256(shown_key(scope)).digest()
        found = None
        for known, key in self._keys:  # all of them, so that the time says nothing
            if compare_digest(known, digest):
                found = key
        if found is None:
            raise Unauthorized("unauthorized: invalid or missing API key")
        if admin and not found.admin:
            raise Forbidden("forbidden: this API key may not manage models")
        scope[_KEY] = found
        if found.name:
            scope["llmstack.client"] = found.name  # for the activity log

    @staticmethod
    def allows(scope: Scope, target: Target) -> bool:
        """Whether the client, whose key has been checked, may use ``target``."""
        key = scope.get(_KEY)
        return key is None or allows(key, target)

    def admit(self, scope: Scope, target: Target) -> None:
        """Raise Forbidden unless the client may use ``target``."""
        if not self.allows(scope, target):
            raise Forbidden("forbidden: this API key may not use the requested model")

    @staticmethod
    def owner(scope: Scope) -> bytes:
        """The digest of the client's key, which has been checked; empty without one."""
        key = scope.get(_KEY)
        return bytes.fromhex(key.sha256) if key else b""

    @staticmethod
    def limited(scope: Scope) -> bool:
        """Whether the client's key is for some models only."""
        key = scope.get(_KEY)
        return key is not None and key.models is not None

    def admit_everything(self, scope: Scope) -> None:
        """Raise Forbidden unless the client may do everything that can be done here."""
        key = scope.get(_KEY)
        if key is not None and not (key.admin and key.models is None):
            raise Forbidden(
                "forbidden: this API key may not pass requests through to a peer",
                why="A peer's management would be within its reach.",
                fix="Name the peer's model in a request to /v1.",
            )

    def outgoing(self, scope: Scope, *, keep: bool = False) -> Scope:
        """The request as an upstream may see it: without the client's key, unless ``keep``."""
        if keep or not self.required:
            return scope
        return {**scope, "headers": [pair for pair in scope["headers"] if not _is_key(pair)]}


def _is_key(pair: tuple[bytes, bytes]) -> bool:
    return pair[0] in KEY_HEADERS


def shown_key(scope: Scope) -> bytes:
    """The key in the request: Basic password before Bearer before ``x-api-key``; or nothing."""
    kind, _, value = (header(scope, b"authorization") or b"").strip().partition(b" ")
    kind, value = kind.lower(), value.strip()
    if kind == b"basic":
        try:
            password = a2b_base64(value).partition(b":")[2]
        except BinasciiError:
            password = b""
        if password:
            return password
    elif kind == b"bearer" and value:
        return value
    return (header(scope, b"x-api-key") or b"").strip()
