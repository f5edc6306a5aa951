"""Several llama-swap files as one configuration: a file, a directory of files, or both.

Mappings are merged key by key and lists are joined, the first file first. A value may be set by one
file only, unless all say the same or nothing (null); so may each entry of the maps that give names
to things, such as ``models``. Every value keeps the file and line that it comes from.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from llmstack.config.macros import dotted
from llmstack.config.problems import Problem
from llmstack.config.swap_loader import build_swap
from llmstack.config.swap_source import Source, read_source, read_text, unreadable
from llmstack.config.yaml_source import Document
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path as FilePath

    from llmstack.config.swap import SwapConfig
    from llmstack.config.swap_loader import Check
    from llmstack.config.yaml_source import Path, Place

#: Maps from names to things: an entry belongs to one file.
IDENTITY_MAPS: frozenset[tuple[str | int, ...]] = frozenset(
    {
        ("models",),
        ("groups",),
        ("profiles",),
        ("selectors",),
        ("peers",),
        ("matrix",),
        ("routing", "router", "settings", "groups"),
        ("routing", "router", "settings", "matrix"),
    }
)
_SUFFIXES = (".yml", ".yaml")


def load_sources(
    config: FilePath | None,
    config_dir: FilePath | None,
    environ: Mapping[str, str],
    before: SwapConfig | None = None,
    *,
    further: Check | None = None,
) -> SwapConfig:
    """The configuration in ``config`` and in the YAML files of ``config_dir``, which come after.

    In it models keep the ports that they have in ``before``, the one in force.
    Raises ConfigError with all problems of all files, those that ``further`` finds among them.
    """
    sources: list[Source] = []
    lost: list[Problem] = []
    for path in source_paths(config, config_dir):
        try:
            source = read_source(read_text(path), str(path), environ)
        except ConfigError as error:
            lost += error.problems
            continue
        document = _with_mapping(source.document)
        sources.append(replace(source, document=document))
        if document.tree is None:
            lost += document.problems
    if lost:  # What the other files miss may be in those that could not be read.
        known = [problem for source in sources for problem in source.document.problems]
        raise ConfigError(dict.fromkeys([*lost, *known]))
    return build_swap(merge_sources(sources), before, further=further)


def source_paths(config: FilePath | None, config_dir: FilePath | None) -> tuple[FilePath, ...]:
    """The files to read, in their order. Sub-directories are not looked into.

    Raises ConfigError when there are none, or when one would be read twice.
    """
    paths = [] if config is None else [config]
    if config_dir is not None:
        place = str(config_dir)
        try:
            entries = sorted(config_dir.iterdir())
        except OSError as error:
            raise unreadable(place, error) from error
        found = [path for path in entries if path.name.endswith(_SUFFIXES) and not path.is_dir()]
        if config is not None and config.absolute() in {path.absolute() for path in found}:
            message = f"is also in the configuration directory {place}."
            fix = "Remove it from one place: name the file or the directory."
            raise ConfigError([Problem(str(config), None, message, fix)])
        paths += found
    if not paths:
        where = "configuration" if config_dir is None else str(config_dir)
        fix = "Name a file, or a directory with .yml or .yaml files."
        raise ConfigError([Problem(where, None, "no configuration sources found.", fix)])
    return tuple(paths)


def merge_sources(sources: Sequence[Source]) -> Source:
    """All ``sources`` as one. Conflicts are problems of its document, and the first value stays."""
    checked = [replace(each, document=_with_mapping(each.document)) for each in sources]
    document = reduce(merge, [source.document for source in checked])
    return Source(
        document,
        frozenset().union(*(source.unset for source in checked)),
        frozenset().union(*(source.secrets for source in checked)),
    )


def merge(left: Document, right: Document) -> Document:
    """Two documents as one; an empty one changes nothing but the list of problems."""
    source = f"{left.source}, {right.source}"
    if left.tree is None or right.tree is None:
        kept = right if left.tree is None else left
        return replace(kept, problems=(*left.problems, *right.problems))
    merging = _Merging(left, right)
    tree = merging.values(left.tree, right.tree, (), ())
    problems = (*left.problems, *right.problems, *merging.problems)
    anchored = left.anchored | right.anchored
    return Document(source, tree, merging.places, problems, anchored)


class _Merging:
    """One merge of two trees. ``at`` is a path in the result, ``origin`` one in the right tree.

    They differ inside lists, where what is on the right comes after what is on the left.
    """

    def __init__(self, left: Document, right: Document) -> None:
        self._right = right
        self._own: dict[Path, Place] = dict(right.places)
        self.places: dict[Path, Place] = dict(left.places)
        self.problems: list[Problem] = []

    def values(self, left: Any, right: Any, at: Path, origin: Path) -> Any:
        """The value for both at ``at``."""
        if right is None:
            return left
        if left is None:
            self._take(at, origin, right)
            return right
        if isinstance(left, dict) and isinstance(right, dict):
            return self._mappings(left, right, at, origin)
        if isinstance(left, list) and isinstance(right, list):
            for index, item in enumerate(right):
                self._take((*at, len(left) + index), (*origin, index), item)
            return [*left, *right]
        if _kind(left) != _kind(right):
            kinds = f"{_kind(left)} and {_kind(right)}"
            message = f'conflict at "{dotted(at)}": incompatible YAML node kinds ({kinds}).'
            self._problem(origin, message, "Write it in one of the files only.")
        elif not _same(left, right):
            message = (
                f'conflict at "{dotted(at)}": {self._file(origin)} sets a different value than '
                "a previous source."
            )
            self._problem(origin, message, "Set it in one of the files only.")
        return left

    def _mappings(
        self, left: dict[str, Any], right: dict[str, Any], at: Path, origin: Path
    ) -> dict[str, Any]:
        result = dict(left)
        for key, value in right.items():
            if key not in left:
                self._take((*at, key), (*origin, key), value)
                result[key] = value
            elif at in IDENTITY_MAPS:
                message = (
                    f'duplicate {at[-1]} "{key}" found in {self._file((*origin, key))} (already '
                    "defined in another config source)."
                )
                self._problem((*origin, key), message, "Rename or remove one of them.")
            else:
                result[key] = self.values(left[key], value, (*at, key), (*origin, key))
        return result

    def _take(self, at: Path, origin: Path, value: Any) -> None:
        """Keep the places of what comes from the right."""
        if (place := self._own.get(origin)) is not None:
            self.places[at] = place
        if isinstance(value, dict):
            for key, item in value.items():
                self._take((*at, key), (*origin, key), item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self._take((*at, index), (*origin, index), item)

    def _file(self, origin: Path) -> str:
        return self._right.locate(origin).file

    def _problem(self, origin: Path, message: str, fix: str) -> None:
        place = self._right.locate(origin)
        self.problems.append(Problem(place.file, place.line, message, fix))


def _with_mapping(document: Document) -> Document:
    """The document; without its tree, and with a problem, if that is not a mapping."""
    if document.tree is None or isinstance(document.tree, dict):
        return document
    message = f"the top level: expected a mapping, got a {_kind(document.tree)}."
    problem = Problem(
        document.source, document.locate(()).line, message, "Write one 'key: value' per line."
    )
    return Document(document.source, None, {}, (*document.problems, problem))


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "mapping"
    return "sequence" if isinstance(value, list) else "scalar"


def _same(left: object, right: object) -> bool:
    """Whether two scalars are the same, of the same type; NaN is itself."""
    return type(left) is type(right) and (left == right or (left != left and right != right))  # noqa: PLR0124
