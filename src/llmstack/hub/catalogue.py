"""The catalogue: models for coding agents with the numbers that their memory follows from.

The data is in ``data/catalogue.toml``; every claim there names the public page that it is from.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llmstack.hub.gguf import Gguf
from llmstack.hub.hub_file import HubFile

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of a parameter outside the experts, at most: quantised files keep those at q8_0 or less.
_DENSE = 34 / 32


@dataclass(frozen=True, slots=True)
class Shape:
    """GGUF metadata of a model, without the name of its architecture in front of the keys.

    ``parameters`` is how many there are in all, 0 where nobody needs to know.
    """

    architecture: str
    numbers: Mapping[str, int]
    parameters: int = 0
    sources: tuple[str, ...] = ()

    @property
    def expert_parameters(self) -> int:
        """Parameters of all experts of all layers."""
        width = self.numbers["embedding_length"] * self.numbers.get("expert_feed_forward_length", 0)
        return self.numbers["block_count"] * self.numbers.get("expert_count", 0) * 3 * width


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One file. ``size`` is the bytes of all its parts, 0 if no page tells; then no role has it.

    ``active`` is in billions of parameters. ``sampler`` and ``rope`` are as models.ini has them.
    ``sources`` maps each claim to the page that makes it.
    """

    name: str
    file: HubFile
    quant: str
    size: int
    shape: Shape
    roles: tuple[str, ...] = ()
    least_context: int = 0
    active: float = 0.0
    licence: str = ""
    sampler: str = ""
    rope: str = ""
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def mixture(self) -> bool:
        """Whether it has experts, most of which rest for any one token."""
        return self.shape.expert_parameters > 0

    @property
    def most_context(self) -> int:
        """The longest context that it is made for, in tokens."""
        native = self.shape.numbers["context_length"]
        return 4 * native if self.rope else native

    def header(self, size: int = 0) -> Gguf:
        """A header that takes as much memory as the file's own; ``size`` stands in for its bytes.

        Where experts can stay off the GPU, what is not experts is counted as q8_0: that is the
        most it takes, and the GPU is what is scarce.
        """
        size = self.size or size
        layers = self.shape.numbers["block_count"]
        dense = size
        if self.mixture:
            others = max(self.shape.parameters - self.shape.expert_parameters, 0)
            share = size * others / self.shape.parameters
            dense = min(size, int(max(others * _DENSE, share)))
        tensors = {}
        for layer in range(layers):
            tensors[f"blk.{layer}.dense.weight"] = _part(dense, layer, layers)
            if self.mixture:
                tensors[f"blk.{layer}.ffn_up_exps.weight"] = _part(size - dense, layer, layers)
        named = {f"{self.shape.architecture}.{key}": of for key, of in self.shape.numbers.items()}
        return Gguf(
            MappingProxyType({"general.architecture": self.shape.architecture, **named}),
            MappingProxyType({}),
            MappingProxyType(tensors),
        )


@cache
def catalogue() -> tuple[CatalogueModel, ...]:
    """Every model of the catalogue, in file order."""
    text = (files("llmstack.hub") / "data" / "catalogue.toml").read_text(encoding="utf-8")
    return parse_catalogue(text)


def parse_catalogue(text: str) -> tuple[CatalogueModel, ...]:
    """The models in the TOML ``text``. Raises ``ValueError`` or ``KeyError`` if it is malformed."""
    data = tomllib.loads(text)
    shapes = {name: _shape(dict(table)) for name, table in data["shape"].items()}
    return tuple(_model(dict(table), shapes) for table in data["model"])


def find_model(file: HubFile) -> CatalogueModel | None:
    """The catalogue's model of that file, None if it has none."""
    return next((model for model in catalogue() if model.file == file), None)


def _shape(table: dict[str, Any]) -> Shape:
    architecture, sources = str(table.pop("architecture")), table.pop("source")
    parameters = int(table.pop("parameters", 0))
    return Shape(architecture, MappingProxyType(dict(_flat(table))), parameters, tuple(sources))


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, int]]:
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", int(value)))
    return found


def _model(table: dict[str, Any], shapes: Mapping[str, Shape]) -> CatalogueModel:
    file = HubFile(table.pop("repo"), table.pop("file"))
    return CatalogueModel(
        file=file,
        size=table.pop("bytes", 0),
        shape=shapes[table.pop("shape")],
        roles=tuple(table.pop("roles")),
        sources=MappingProxyType(table.pop("source")),
        **table,
    )


def _part(total: int, index: int, count: int) -> int:
    """One of ``count`` parts of ``total`` that add up to it."""
    return total * (index + 1) // count - total * index // count
