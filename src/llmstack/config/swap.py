"""A llama-swap configuration as frozen values, macros already expanded.

Meaning and defaults of every key: llama-swap's configuration reference, and ``swap_tables``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmstack.config.context_settings import UNTOUCHED, ContextSettings
from llmstack.config.go_regex import compile_go
from llmstack.config.swap_parts import (
    ApiKey,
    Capabilities,
    Filters,
    MemoryPlan,
    Peer,
    Performance,
    Profile,
    Selector,
    Timeouts,
    empty,
)
from llmstack.config.swap_tables import IGNORED_PATHS, SESSION_HEADERS

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from llmstack.config.problems import Problem

__all__ = [
    "ApiKey",
    "Capabilities",
    "Filters",
    "Group",
    "Matrix",
    "MatrixSet",
    "MemoryPlan",
    "Peer",
    "Performance",
    "Profile",
    "Selector",
    "SwapConfig",
    "SwapModel",
    "Timeouts",
]


@dataclass(frozen=True, slots=True)
class SwapModel:
    """One entry of ``models``.

    ``cmd`` has its comments removed and its macros expanded but is not split; ``cmd_stop`` may
    still hold ``${PID}``. Times are seconds; ``ttl`` 0 means never. ``env`` holds ``K=V`` texts.
    ``concurrency_limit`` is the effective one (the configured 0 already turned into 10).
    ``aliases`` include the names of ``filters.setParamsByID``. ``memory`` is in bytes, None if
    not declared.
    """

    id: str
    cmd: str = ""
    cmd_stop: str = ""
    proxy: str = ""
    aliases: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    check_endpoint: str = "/health"
    ttl: int = 0
    unload_timeout: int = 10
    unlisted: bool = False
    use_model_name: str = ""
    name: str = ""
    description: str = ""
    concurrency_limit: int = 10
    send_loading_state: bool = False
    metadata: Mapping[str, Any] = field(default_factory=empty)
    filters: Filters = field(default_factory=Filters)
    timeouts: Timeouts = field(default_factory=Timeouts)
    ignore_websockets: bool = False
    capabilities: Capabilities | None = None
    memory: int | None = None
    forward_api_key: bool = False
    context: ContextSettings = UNTOUCHED
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Models that share a swapping rule; see ``llmstack.residency``."""

    id: str
    members: tuple[str, ...]
    swap: bool = True
    exclusive: bool = True
    persistent: bool = False
    line: int | None = None


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """One named expression of ``matrix.sets``, unparsed, and where it stands."""

    name: str
    expression: str
    line: int | None = None
    file: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Matrix:
    """``matrix``: short names, eviction costs and the allowed combinations, in file order."""

    vars: Mapping[str, str]
    evict_costs: Mapping[str, int]
    sets: tuple[MatrixSet, ...]
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SwapConfig:
    """A whole llama-swap configuration. Times are seconds; ``models`` keeps file order.

    At most one of ``matrix`` and ``memory`` is there; without both the group rules apply.
    ``preload`` holds real model ids. ``min_residency``, ``max_wait`` and ``queue_timeout`` bound
    the queue; 0 switches each off. ``capture_buffer`` is in megabytes, 0 for no captures.
    ``log_time_format`` is a name of ``swap_tables.LOG_TIMES`` or empty. ``store_path`` empty means
    memory. ``ports`` is what ``${PORT}`` stands for, by model. ``secrets`` are texts never to be
    shown. ``warnings`` are findings that do not make the file unusable.
    """

    source: str
    models: Mapping[str, SwapModel] = field(default_factory=empty)
    groups: tuple[Group, ...] = ()
    matrix: Matrix | None = None
    memory: MemoryPlan | None = None
    preload: tuple[str, ...] = ()
    priorities: Mapping[str, int] = field(default_factory=empty)
    min_residency: int = 2
    max_wait: int = 120
    queue_timeout: int = 0
    profiles: Mapping[str, Profile] = field(default_factory=empty)
    selectors: Mapping[str, Selector] = field(default_factory=empty)
    peers: Mapping[str, Peer] = field(default_factory=empty)
    api_keys: tuple[ApiKey, ...] = ()
    health_check_timeout: int = 120
    start_port: int = 5800
    ports: Mapping[str, int] = field(default_factory=empty, compare=False)
    log_level: str = "info"
    log_time_format: str = ""
    log_to_stdout: str = "proxy"
    include_aliases_in_list: bool = False
    metrics_max_in_memory: int = 1000
    capture_buffer: int = 5
    store_path: str = ""
    session_headers: tuple[str, ...] = SESSION_HEADERS
    performance: Performance = field(default_factory=Performance)
    ignore_paths: tuple[re.Pattern[str], ...] = (compile_go(IGNORED_PATHS),)
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    warnings: tuple[Problem, ...] = ()

    def resolve(self, name: str) -> str | None:
        """The model id that ``name`` (an id or an alias) stands for; ids win over aliases."""
        return self.names().get(name)

    def names(self) -> dict[str, str]:
        """The id for every id and alias; ids win."""
        aliases = {alias: model.id for model in self.models.values() for alias in model.aliases}
        return aliases | {model: model for model in self.models}
