"""YAML text as a plain tree that still knows the line of every value.

Scalars are typed the way gopkg.in/yaml.v3 types them, so that a file means here what it means to
the Go programs that read the same file: ``yes``, ``no``, ``on`` and ``off`` are texts, ``true``
and ``false`` are not, ``0x10``, ``0o17``, ``0b11`` and ``017`` are integers. Dates stay texts.
Anchors, aliases and merge keys work. Nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from yaml.composer import Composer, ComposerError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from llmstack.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Where a value is: mapping keys and sequence positions, from the top.
Path = tuple[str | int, ...]

#: More values than this after aliases are followed means a file that unfolds itself.
MAX_VALUES = 100_000
#: Deeper nesting than this, as written or after aliases are followed, is not a configuration.
MAX_DEPTH = 100

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
_MERGE = "<<"

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_INTEGERS = (
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]{1,16}"), 16),
    (re.compile(r"[-+]?0[bB][01]{1,64}"), 2),
    (re.compile(r"[-+]?0[oO]?[0-7]{1,22}"), 8),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,19})"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1


class Place(NamedTuple):
    """A line of a file. ``line`` counts from 1 and is None where no line can be named."""

    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: ``tree`` holds dicts (text keys, file order), lists and scalars only.

    ``tree`` is None for an empty or comment-only file and for one that cannot be parsed at all;
    ``problems`` tells which. ``anchored`` are the top-level keys whose values have an anchor.
    """

    source: str
    tree: Any
    places: Mapping[Path, Place]
    problems: tuple[Problem, ...] = ()
    anchored: frozenset[Path] = frozenset()

    def locate(self, path: Path) -> Place:
        """The place of the value at ``path``, or of the nearest value around it."""
        for end in range(len(path), -1, -1):
            if (place := self.places.get(path[:end])) is not None:
                return place
        return Place(self.source, None)


def read_yaml(text: str, source: str) -> Document:
    """Parse ``text``; ``source`` is the file name to put into problems. Never raises."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        return Document(source, None, {}, (_syntax_problem(error, text, source),))
    if node is None:
        return Document(source, None, {})
    reader = _TreeReader(source, node)
    try:
        tree = reader.value(node, (), ())
    except _TooMuchError as error:
        line = error.node.start_mark.line + 1
        problem = Problem(source, line, str(error), "Remove aliases of aliases.")
        return Document(source, None, {}, (problem,))
    anchored = frozenset(reader.defined(loader.anchored))
    return Document(source, tree, reader.places, tuple(reader.problems), anchored)


def scalar(text: str) -> bool | int | float | str | None:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(digits):
            number = int(re.sub("0[xXbBoO]", "", digits, count=1), base)
            if _INT64_MIN <= number <= _UINT64_MAX:
                return number
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if abs(value) != float("inf"):
            return value
    return text


class _Resolver(BaseResolver):
    def resolve(self, kind: type[Node], value: Any, implicit: Any) -> str:
        """Mark unquoted scalars; their type is found when the tree is built."""
        if kind is ScalarNode and implicit[0]:
            return _PLAIN
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        return str(tag)


class _Loader(Reader, Scanner, Parser, Composer, _Resolver):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        _Resolver.__init__(self)
        self._depth = self._count = 0
        #: The identities of the nodes that have an anchor.
        self.anchored: set[int] = set()

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """As in PyYAML, but an anchor may be defined again, and depth and number are limited."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        alias = isinstance(event, yaml.AliasEvent)
        if not alias:
            self.anchors.pop(event.anchor, None)
        if self._depth >= MAX_DEPTH:
            raise ComposerError(None, None, f"nested deeper than {MAX_DEPTH}", event.start_mark)
        self._count += 1
        if self._count > 2 * MAX_VALUES:  # keys count too
            raise ComposerError(None, None, f"more than {MAX_VALUES} values", event.start_mark)
        self._depth += 1
        try:
            node = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        if event.anchor and not alias:
            self.anchored.add(id(node))
        return node


class _TooMuchError(Exception):
    """Following the aliases gives more than a configuration can hold; ``node`` is where."""

    def __init__(self, message: str, node: Node) -> None:
        super().__init__(f"the file unfolds into {message} through its aliases")
        self.node = node


class _TreeReader:
    """Turns composed nodes into plain values, keeping the place of each."""

    def __init__(self, source: str, root: Node) -> None:
        self.source = source
        self.places: dict[Path, Place] = {(): self._place(root)}
        self.problems: dict[Problem, None] = {}
        #: The values of the top level.
        self.nodes: list[tuple[Path, Node]] = []
        self._count = 0

    def value(self, node: Node, path: Path, open_nodes: tuple[Node, ...]) -> Any:
        """The plain value of ``node``; ``open_nodes`` are the collections around it."""
        self._one_more(node, open_nodes)
        if len(path) == 1:
            self.nodes.append((path, node))
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if any(node is outer for outer in open_nodes):
            self._problem(node, "an anchor contains an alias of itself", "Remove the alias.")
            return None
        inside = (*open_nodes, node)
        if isinstance(node, SequenceNode):
            self._collection_tag(node, "seq")
            items = []
            for index, item in enumerate(node.value):
                self.places[*path, index] = self._place(item)
                items.append(self.value(item, (*path, index), inside))
            return items
        if isinstance(node, MappingNode):
            self._collection_tag(node, "map")
            return self._mapping(node, path, inside)
        raise AssertionError(node)  # pragma: no cover

    def defined(self, anchored: set[int]) -> Iterator[Path]:
        """The top-level keys whose values are ``anchored`` nodes and no aliases of such."""
        for path, node in self.nodes:
            if id(node) in anchored and node.start_mark.line + 1 >= (self.places[path].line or 0):
                yield path

    def _one_more(self, node: Node, around: tuple[Node, ...]) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            raise _TooMuchError(f"more than {MAX_VALUES} values", node)
        if len(around) > MAX_DEPTH:
            raise _TooMuchError(f"more than {MAX_DEPTH} levels", node)

    def _mapping(self, node: MappingNode, path: Path, inside: tuple[Node, ...]) -> dict[str, Any]:
        pairs = self._unique_pairs(node)
        own = {key for key, _, _, merges in pairs if not merges}
        result: dict[str, Any] = {}
        for key, key_node, value_node, merges in pairs:
            if not merges:
                self.places[*path, key] = self._place(key_node)
                result[key] = self.value(value_node, (*path, key), inside)
                continue
            for merged_key, merged_node, merged_value in self._merged(value_node, inside):
                if merged_key not in own and merged_key not in result:
                    self.places[*path, merged_key] = self._place(merged_node)
                    result[merged_key] = self.value(merged_value, (*path, merged_key), inside)
        return result

    def _unique_pairs(self, node: MappingNode) -> list[tuple[str, Node, Node, bool]]:
        """Key, key node, value node and whether the key is a merge key; duplicates reported."""
        pairs: list[tuple[str, Node, Node, bool]] = []
        first: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                message = "a mapping key must be a single value"
                self._problem(key_node, message, "Quote the key if it holds brackets or braces.")
                continue
            key = str(key_node.value)
            if key in first:
                line = self._place(first[key]).line
                message = f'mapping key "{key}" already defined at line {line}'
                self._problem(key_node, message, "Remove or rename one of them.")
                continue
            first[key] = key_node
            pairs.append((key, key_node, value_node, key == _MERGE and key_node.tag == _PLAIN))
        return pairs

    def _merged(self, node: Node, inside: tuple[Node, ...]) -> Iterator[tuple[str, Node, Node]]:
        """What a merge key brings in: own keys before merged ones, earlier mappings first."""
        self._one_more(node, inside)
        if isinstance(node, SequenceNode) and all(isinstance(n, MappingNode) for n in node.value):
            for item in node.value:
                yield from self._merged(item, inside)
        elif not isinstance(node, MappingNode):
            message = "a merge key needs a mapping or a list of mappings"
            self._problem(node, message, "Write <<: *anchor.")
        elif any(node is outer for outer in inside):
            self._problem(node, "a mapping is merged into itself", "Remove the merge key.")
        else:
            pairs = self._unique_pairs(node)
            for key, key_node, value_node, merges in pairs:
                if not merges:
                    self._count += 1
                    yield key, key_node, value_node
            for _, _, value_node, merges in pairs:
                if merges:
                    yield from self._merged(value_node, (*inside, node))

    def _scalar(self, node: ScalarNode) -> Any:
        text = str(node.value)
        if node.tag in {f"{_TAG}str", f"{_TAG}timestamp"}:
            return text
        value = scalar(text)
        wanted = str(node.tag).removeprefix(_TAG)
        if wanted == "float" and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        kind = "null" if value is None else type(value).__name__
        if wanted in {_PLAIN, kind}:
            return value
        if wanted in {"int", "float", "bool", "null"}:
            # The text may be a secret, so it is not shown.
            self._problem(node, f"the value is not of the type !!{wanted}", "Remove the tag.")
        else:
            tag = f"!!{wanted}" if str(node.tag).startswith(_TAG) else wanted
            self._problem(node, f"the tag {tag} is not supported", "Remove the tag.")
        return text

    def _collection_tag(self, node: Node, expected: str) -> None:
        if node.tag not in {_TAG + expected, "!"}:
            tag = str(node.tag).replace(_TAG, "!!")
            self._problem(node, f"the tag {tag} is not supported", "Remove the tag.")

    def _place(self, node: Node) -> Place:
        return Place(self.source, node.start_mark.line + 1)

    def _problem(self, node: Node, message: str, fix: str) -> None:
        self.problems[Problem(self.source, self._place(node).line, message, fix)] = None


def _syntax_problem(error: yaml.YAMLError, text: str, source: str) -> Problem:
    if isinstance(error, ReaderError):
        line: int | None = text.count("\n", 0, error.position) + 1
        character = f"U+{error.character:04X}"
        message = f"the character {character} is not allowed in YAML"
        return Problem(source, line, message, "Remove it, or escape it in double quotes.")
    if not isinstance(error, yaml.MarkedYAMLError):  # pragma: no cover
        return Problem(source, None, str(error))
    mark = error.problem_mark or error.context_mark
    parts = [part for part in (error.context, error.problem) if part]
    line = None if mark is None else mark.line + 1
    return Problem(source, line, "not valid YAML: " + ", ".join(parts), _syntax_fix(error, text))


def _syntax_fix(error: yaml.MarkedYAMLError, text: str) -> str:
    if "'\\t'" in str(error.problem):
        return "Indent with spaces, not with tabs."
    mark = error.problem_mark
    if mark and "flow" in str(error.context) and "${" in text[: mark.index + 1].rpartition("\n")[2]:
        return "Inside braces and brackets a text with ${...} needs quotes."
    return ""
