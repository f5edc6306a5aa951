"""Who may ask, and for what: keys, whose scopes and rates; who counts as this machine itself.

Rules of ``llmstack swap``: llama-swap's behaviour report, section 3.2. Better here: keys are
compared by their digests, may be limited to models or kept from management, and are not passed on.
Rules of a stack: docs/network.md, and docs/decisions for who counts as local.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from llmstack.config.access_key import AccessKey
from llmstack.config.names import Disabled, Unknown, allows
from llmstack.errors import Forbidden, RateLimited, Unauthorized
from llmstack.server.asking import asking_of
from llmstack.server.cors import admitting, is_preflight, will_show_key
from llmstack.server.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.config.names import Choice, Selected, Target
    from llmstack.config.swap import ApiKey, SwapConfig
    from llmstack.engine import Engine
    from llmstack.server.asgi import Scope, Send
    from llmstack.server.asking import Asking
    from llmstack.server.key_ring import KeyRing

#: Headers in which a client shows its key.
KEY_HEADERS = (b"authorization", b"x-api-key")

#: Where the key that was shown is kept in the scope, and that ``auto`` chose in its name.
_KEY = "llmstack.key"
_CHOSEN = "llmstack.chosen"

_HEALTH = frozenset({"/health", "/wol-health"})

_UNKNOWN = "unauthorized: invalid or missing API key"


class Access:
    """The keys of the engine's present configuration, or those of a stack's ``ring``.

    Without keys everything is allowed, but for what a stack's ``guard`` stops. With a ring,
    operations need an admin's key from elsewhere and none from this machine; ``open`` says that
    they need none from elsewhere either while there are no keys (``--insecure``).
    """

    def __init__(
        self,
        engine: Engine,
        ring: KeyRing | None = None,
        guard: Guard | None = None,
        *,
        open: bool = False,  # noqa: A002  the word for it
    ) -> None:
        self._engine = engine
        self._config: SwapConfig | None = None
        self._keys: list[tuple[bytes, ApiKey]] = []
        self.ring = ring
        self.guard = guard or Guard(
            engine.config.allowed_hosts,
            engine.config.allowed_origins,
            settings=("allowedHosts", "allowedOrigins"),
            only_here=True,
        )
        self._open = open
        #: What a name that a key is for stands for now; set by the door.
        self.resolve: Callable[[str], Target] = Unknown
        #: The one name of a target, where one program has several models' names.
        self.canonical: Callable[[Choice | Selected], str] = _canonical

    @property
    def required(self) -> bool:
        """Whether clients need a key."""
        return self._configured or (self.ring is not None and self.ring.required)

    @property
    def _configured(self) -> bool:
        """Whether the engine's configuration has keys, which llama-swap's rules go for."""
        config = self._engine.config
        if config is not self._config:
            self._keys = [(bytes.fromhex(key.sha256), key) for key in config.api_keys]
            self._config = config
        return bool(self._keys)

    def enter(self, scope: Scope) -> None:
        """Let a request into a stack, whatever it asks for.

        Raises:
            Forbidden: a page that has no business here makes a browser ask.
        """
        if self.ring is not None:
            asking = asking_of(scope)
            if not asking.entered:
                self._guard(asking, scope)

    def readable(self, scope: Scope, send: Send) -> Send:
        """``send`` for a request that has been let in: a page of another origin may read it."""
        asking = asking_of(scope)
        if asking.origin is not None and self.guard.crosses(asking):
            return admitting(send, asking.origin)
        return send

    def _guard(self, asking: Asking, scope: Scope) -> None:
        fault = self.guard.fault(asking, scope)
        if fault is not None and not self._excused(asking, scope):
            raise fault
        asking.entered = True

    def _excused(self, asking: Asking, scope: Scope) -> bool:
        """Whether a key makes up for where the request comes from, or nothing is told anyway."""
        if scope["path"] in _HEALTH:  # probes ask by whatever name their network has
            return True
        if not self.required:
            return False
        if is_preflight(scope):  # it never shows a key; what follows it must
            return not asking.doubled and will_show_key(scope)
        shown = asking.explicit
        if not shown:
            return False
        if self._configured:
            return self._find(shown) is not None
        return self.ring is not None and self.ring.find(shown, local=asking.local) is not None

    def check(self, scope: Scope, *, admin: bool = False) -> None:
        """Note which key the client shows.

        Raises:
            Unauthorized: it shows none that is known.
            Forbidden: ``admin`` is needed and the key does not have it.
            RateLimited: the key has made its requests of this minute.
        """
        if self.ring is None and admin:
            self._guard(asking_of(scope), scope)
        key: ApiKey | AccessKey | None
        if self._configured:
            key = self._find(asking_of(scope).shown)
            if key is None:
                raise Unauthorized(_UNKNOWN)
            if admin and not key.admin:
                raise Forbidden("forbidden: this API key may not manage models")
        elif self.ring is not None:
            key = self._of_ring(self.ring, scope, admin=admin)
        else:
            return
        if key is not None:
            scope[_KEY] = key
            if key.name:
                scope["llmstack.client"] = key.name  # for the activity log

    def _of_ring(self, ring: KeyRing, scope: Scope, *, admin: bool) -> AccessKey | None:
        """The key by which a stack lets the client in, None for one that needs none."""
        if not admin and not ring.required:
            return None
        asking = asking_of(scope)
        local = asking.local
        if not ring.required:
            if local or self._open:
                return None
            raise Forbidden(
                "forbidden: operations are for this machine only, until there is an admin's key",
                why="The request comes from elsewhere, or a proxy has passed it on.",
                fix="Make one: llmstack keys add NAME --admin",
            )
        shown = asking.shown
        key = ring.find(shown, local=local) if shown else None
        if key is None:
            # Only the page that we served ourselves is same-origin: its name is this machine's own.
            own = local and not self.guard.crosses(asking)
            if own and (admin or asking.site == b"same-origin"):
                return None
            raise Unauthorized(_UNKNOWN)
        if admin:
            if not key.admin and not local:
                raise Forbidden(
                    "forbidden: this API key may not manage models",
                    fix="It takes one that was made with --admin.",
                )
        elif scope.get(_KEY) is not key and (wait := ring.wait_of(key)):
            raise RateLimited(key.name, key.rate or 0, wait)
        return key

    def _find(self, shown: bytes) -> ApiKey | None:
        digest = sha256(shown).digest()
        found = None
        for known, key in self._keys:  # all of them, so that the time says nothing
            if compare_digest(known, digest):
                found = key
        return found

    def allows(self, scope: Scope, target: Target) -> bool:
        """Whether the client, whose key has been checked, may use ``target``."""
        key = scope.get(_KEY)
        if key is None or key.models is None:
            return True
        if not isinstance(key, AccessKey):
            return allows(key, target)
        if isinstance(target, Disabled | Unknown):
            return False
        return bool(scope.get(_CHOSEN)) or self.canonical(target) in self._covered(key)

    def _covered(self, key: AccessKey) -> set[str]:
        """The canonical names that ``key`` is for, as names are now."""
        targets = map(self.resolve, key.models or ())
        return {self.canonical(one) for one in targets if not isinstance(one, Disabled | Unknown)}

    def admit(self, scope: Scope, target: Target) -> None:
        """Raise Forbidden unless the client may use ``target``."""
        if not self.allows(scope, target):
            raise Forbidden("forbidden: this API key may not use the requested model")

    @staticmethod
    def may_choose_all(scope: Scope) -> bool:
        """Whether ``auto`` may choose any tier for the client, whose key names ``auto`` itself."""
        key = scope.get(_KEY)
        return isinstance(key, AccessKey) and key.models is not None and "auto" in key.models

    def chosen(self, scope: Scope) -> None:
        """``auto`` has chosen for the client: if it may choose all, then all may answer."""
        if self.may_choose_all(scope):
            scope[_CHOSEN] = True

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

    def admit_own_page(self, scope: Scope) -> None:
        """Raise Forbidden for a page of another origin, though of this machine, without a key."""
        if scope.get(_KEY) is None and self.guard.crosses(asking_of(scope)):
            raise Forbidden(
                "forbidden: a page of another origin may not change who is let in",
                fix="Do it on the page of the stack itself, or with llmstack keys.",
            )

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
        if keep or not (self.required or self._own_shown(scope)):
            return scope
        return {**scope, "headers": [pair for pair in scope["headers"] if not _is_key(pair)]}

    def _own_shown(self, scope: Scope) -> bool:
        """Whether the client shows this machine's own key, which is nobody else's business."""
        if self.ring is None:
            return False
        shown = asking_of(scope).shown
        return bool(shown) and self.ring.shows_own(shown)


def _canonical(target: Choice | Selected) -> str:
    return target.canonical


def _is_key(pair: tuple[bytes, bytes]) -> bool:
    return pair[0] in KEY_HEADERS


def shown_key(scope: Scope) -> bytes:
    """The key in the request: Basic password before Bearer before ``x-api-key``; or nothing."""
    return asking_of(scope).shown
