"""Models that do not run here: where they are, and what using them may cost."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class BackendKind:
    """A value of ``backend``.

    ``factory`` is ``module:name`` of what makes it (``llmstack.backends.protocol.Factory``),
    imported when a stack uses it. ``needs`` are the keys that a section cannot do without.
    """

    factory: str
    needs: tuple[str, ...]


#: Every backend of models that do not run here. A new one is a module and a line of this table.
BACKENDS: Final[Mapping[str, BackendKind]] = MappingProxyType(
    {
        "bedrock": BackendKind("llmstack.backends.bedrock:bedrock", ("aws_model_id",)),
        "openai": BackendKind("llmstack.backends.openai:openai", ("base_url", "model_name")),
        "ollama": BackendKind("llmstack.backends.ollama:ollama", ("model_name",)),
        "peer": BackendKind("llmstack.backends.peer:peer", ("base_url",)),
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a tier may cost, in USD; None is no limit. Days and months are local time."""

    per_day: float | None = None
    per_month: float | None = None

    def __bool__(self) -> bool:
        """Whether there is a limit."""
        return self.per_day is not None or self.per_month is not None


@dataclass(frozen=True, slots=True)
class Hosted:
    """Where a model is and how it is reached.

    ``backend`` is a key of ``BACKENDS``, ``model`` the name that the upstream knows the model by
    (empty: everything that a peer has). ``api_key_env`` names the variable that holds the key;
    header values written ``$NAME`` are read from the environment too, so no value of this class is
    a secret. ``apis`` are the APIs that the upstream speaks (``chat``, ``completions``,
    ``messages``, ``responses``, ``embeddings``), empty to find out. Times are in seconds:
    ``first_byte_timeout`` bounds the wait for an answer, ``idle_timeout`` the silence within one;
    0 is no limit. ``retries`` counts attempts after the first.
    """

    backend: str
    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    apis: tuple[str, ...] = ()
    region: str = ""
    profile: str = ""
    endpoint_url: str = ""
    connect_timeout: float = 10
    first_byte_timeout: float = 600
    idle_timeout: float = 300
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Source:
    """A section whose models are all offered, as ``NAME/MODEL``: a peer without ``model_name``."""

    name: str
    hosted: Hosted
    description: str = ""
