"""A llama-swap configuration as frozen values, macros already expanded.

Meaning and defaults of every key: llama-swap's configuration reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.problems import Problem


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SwapModel:
    """One entry of ``models``.

    ``cmd`` has its comments removed and its macros expanded but is not split; ``cmd_stop`` may
    still hold ``${PID}``. Times are seconds; ``ttl`` 0 means never. ``env`` holds ``K=V`` texts.
    ``concurrency_limit`` is the effective one (the configured 0 already turned into 10).
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
    metadata: Mapping[str, Any] = field(default_factory=_empty)
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
    """One named expression of ``matrix.sets``, unparsed."""

    name: str
    expression: str
    line: int | None = None


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

    ``matrix`` is None when the group rules apply. ``preload`` holds real model ids. ``warnings``
    are findings that do not make the file unusable.
    """

    source: str
    models: Mapping[str, SwapModel] = field(default_factory=_empty)
    groups: tuple[Group, ...] = ()
    matrix: Matrix | None = None
    preload: tuple[str, ...] = ()
    priorities: Mapping[str, int] = field(default_factory=_empty)
    health_check_timeout: int = 120
    start_port: int = 5800
    log_level: str = "info"
    log_to_stdout: str = "proxy"
    include_aliases_in_list: bool = False
    warnings: tuple[Problem, ...] = ()

    def resolve(self, name: str) -> str | None:
        """The model id that ``name`` (an id or an alias) stands for; ids win over aliases."""
        if name in self.models:
            return name
        return self._aliases().get(name)

    def _aliases(self) -> dict[str, str]:
        return {alias: model.id for model in self.models.values() for alias in model.aliases}
