"""What ``models.ini`` declares, as frozen values: the stack and its tiers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llmstack.config.context_settings import ContextSettings
from llmstack.config.hosted import Budget, Hosted, Source

Channel = Literal["current", "next"]

#: Roles that routing, residency, aliases and time to live know by name.
KNOWN_ROLES = ("fast", "agent", "plan", "plan-uncensored", "ultra")


@dataclass(frozen=True, slots=True)
class Sampler:
    """Sampling defaults of a tier. ``None`` leaves the model server's own default alone."""

    temp: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    rep_pen: float | None = None


@dataclass(frozen=True, slots=True)
class Rope:
    """YaRN context extension: ``scale`` times ``orig_ctx`` tokens.

    ``arch`` (the ``type=`` item of the newer spelling) names the architecture whose
    ``context_length`` must be overridden so that the server does not cap the slot.
    """

    scale: float
    orig_ctx: int
    arch: str | None = None


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the model server of a tier is started; ``[DEFAULT]`` holds what a tier does not say.

    ``parallel`` is the number of requests that it answers side by side, None for its own default.
    ``mmproj`` is the path of a multimodal projector, empty for none even where the hub has one,
    None to leave it to the server. ``extra_args`` are further words of its command line, ``env``
    further variables of its environment.
    """

    n_gpu_layers: int = 999
    flash_attn: str = "on"
    jinja: bool = True
    threads: int = -1
    cache_type_k: str = "q8_0"
    cache_type_v: str = "q8_0"
    parallel: int | None = None
    mmproj: str | None = None
    draft_path: str | None = None
    extra_args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, in USD; None where nothing is said."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """Where a tier's GGUF comes from: a hub repository and file, or a local path."""

    hf_repo: str | None = None
    hf_file: str | None = None
    path: str | None = None
    size_gb: float | None = None
    quant: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """One section of ``models.ini``: a role and the model that plays it.

    ``ctx_size`` is in tokens, 0 when not stated. ``ttl`` is in seconds of idleness, 0 for never.
    ``weights_next`` is what the ``next`` channel serves, None when nothing is queued. ``preload``
    says whether the model is loaded when the daemon starts. A tier with ``hosted`` runs elsewhere
    and has neither weights, ttl nor preload. ``fallback`` names tiers that answer in its place.
    """

    name: str
    role: str
    weights: Weights
    weights_next: Weights | None = None
    label: str = ""
    description: str = ""
    ctx_size: int = 0
    max_output_tokens: int | None = None
    rope: Rope | None = None
    sampler: Sampler = field(default_factory=Sampler)
    chat_template: str | None = None
    aliases: tuple[str, ...] = ()
    ttl: int = 1200
    preload: bool = False
    server: ServerOptions = field(default_factory=ServerOptions)
    prices: Prices = field(default_factory=Prices)
    hosted: Hosted | None = None
    hosted_next: Hosted | None = None
    fallback: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    context: ContextSettings = field(default_factory=ContextSettings)

    def elsewhere(self, channel: Channel) -> Hosted | None:
        """Where ``channel`` has the model, None when it runs here."""
        return self.hosted_next if channel == "next" and self.hosted_next else self.hosted

    def effective(self, channel: Channel) -> Weights:
        """The weights that ``channel`` serves."""
        return self.weights_next if channel == "next" and self.weights_next else self.weights


@dataclass(frozen=True, slots=True)
class Routing:
    """The numbers and word lists of ``[ROUTING]``.

    Ceilings are in estimated prompt tokens, ``multi_turn`` in user turns. An empty word list
    means the built-in list. ``players`` are roles with the tiers that must play them, whatever
    the tiers say. ``sticky`` keeps sessions where they are while a switch costs more than it gives,
    and ``switch_cost_limit`` is the most seconds of loading and reading that one is worth.
    """

    high_fidelity_ceiling: int = 12_000
    mid_fidelity_ceiling: int = 32_000
    multi_turn: int = 6
    plan_signal_words: tuple[str, ...] = ()
    agent_signal_words: tuple[str, ...] = ()
    ultra_triggers: tuple[str, ...] = ()
    uncensored_triggers: tuple[str, ...] = ()
    players: tuple[tuple[str, str], ...] = ()
    sticky: bool = True
    switch_cost_limit: int = 45


@dataclass(frozen=True, slots=True)
class Settings:
    """``[DEFAULT]``: the daemon's addresses, and what model servers get that do not say more."""

    host: str = "127.0.0.1"
    router_host: str = "127.0.0.1"
    router_port: int = 10101
    engine_port: int = 10102
    start_port: int = 10001
    engine: Literal["embedded", "llama-swap"] = "embedded"
    llama_server_bin: str | None = None
    server: ServerOptions = field(default_factory=ServerOptions)
    capture_buffer: int = 0
    #: Where Ollama is looked for: empty for its usual places, ``off`` for nowhere, else a URL.
    ollama: str = ""
    #: For models that are no tiers' own, such as those of sources.
    context: ContextSettings = field(default_factory=ContextSettings)
    #: The files of a certificate chain and its key, empty for plain HTTP.
    tls_cert_file: str = ""
    tls_key_file: str = ""
    #: Names under which the gateway may be asked for beside its own; ``*.`` stands for all below.
    allowed_hosts: tuple[str, ...] = ()
    #: Origins whose pages may ask beside this machine's.
    allowed_origins: tuple[str, ...] = ()
    #: Whether the network may come in without keys. No file says so, only who starts the daemon.
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything one ``models.ini`` declares.

    ``source`` is the file it was read from. ``sources`` are sections that are no tiers.
    """

    source: str
    settings: Settings
    tiers: tuple[Tier, ...]
    routing: Routing = field(default_factory=Routing)
    sources: tuple[Source, ...] = ()

    @property
    def local(self) -> tuple[Tier, ...]:
        """The tiers that run here."""
        return tuple(tier for tier in self.tiers if tier.hosted is None)

    def tier(self, name: str) -> Tier | None:
        """The tier of that name, or None."""
        return next((tier for tier in self.tiers if tier.name == name), None)

    def with_role(self, role: str) -> tuple[Tier, ...]:
        """The tiers that play ``role``, in file order."""
        return tuple(tier for tier in self.tiers if tier.role == role)
