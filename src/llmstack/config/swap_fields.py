"""Typed reading of a llama-swap configuration: every mismatch becomes a problem, none raises."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmstack.config.macros import dotted, has_macro, text_of
from llmstack.config.problems import Problem, nearest
from llmstack.config.redact import hide, masked
from llmstack.config.swap_tables import TABLES
from llmstack.config.swap_units import check_size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.config.macros import Finding
    from llmstack.config.swap_keys import Kind, SwapKey, Table
    from llmstack.config.yaml_source import Document, Path, Place

#: Texts that the Go reader takes for a boolean where a boolean is expected.
_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "on"), True),
    **dict.fromkeys(("n", "N", "no", "off"), False),
}


#: Keys that begin like this are parts for other places, used through anchors.
TEMPLATE = "x-"
#: Longer texts are cut where a problem shows them.
_SHOWN = 60


def shorten(text: str) -> str:
    """``text`` as a problem shows it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class Report:
    """Collects the problems of one configuration, each with its file and line.

    What is in ``secrets`` is never repeated in one.
    """

    def __init__(self, document: Document, secrets: frozenset[str] = frozenset()) -> None:
        self._document = document
        self._secrets = secrets
        self._problems: dict[Problem, None] = {}
        for problem in document.problems:
            self.add(problem)

    def error(self, path: Path, message: str, fix: str = "") -> None:
        """Note what makes the configuration unusable."""
        place = self.place(path)
        self.add(Problem(place.file, place.line, message, fix))

    def warning(self, path: Path, message: str, fix: str = "") -> None:
        """Note what is probably not meant."""
        place = self.place(path)
        self.add(Problem(place.file, place.line, message, fix, "warning"))

    def findings(self, findings: Iterable[Finding]) -> None:
        """Note what the macro engine found."""
        for finding in findings:
            note = self.error if finding.severity == "error" else self.warning
            note(finding.path, finding.message, finding.fix)

    def place(self, path: Path) -> Place:
        """File and line of the value at ``path``."""
        return self._document.locate(path)

    def is_template(self, key: str) -> bool:
        """Whether the top-level ``key`` is there for its anchor: a part for other places."""
        return (key,) in self._document.anchored

    def line(self, path: Path) -> int | None:
        """The line of the value at ``path``."""
        return self.place(path).line

    @property
    def failed(self) -> bool:
        """Whether any problem is an error."""
        return any(problem.severity == "error" for problem in self._problems)

    def ordered(self) -> tuple[Problem, ...]:
        """All problems in the order of their files and lines."""
        return tuple(sorted(self._problems, key=lambda problem: (problem.file, problem.line or 0)))

    def add(self, problem: Problem) -> None:
        """Note a problem that knows its place."""
        ended = problem.message.endswith((".", "!", "?"))
        message = problem.message if ended else f"{problem.message}."
        shown = hide(message, self._secrets)
        self._problems[replace(problem, message=shown, fix=hide(problem.fix, self._secrets))] = None


class Section:
    """One mapping of the tree. A missing or null key has the default, as does a wrong one.

    With a ``table`` the defaults come from there, reading a key that is not in it is a mistake of
    ours (KeyError), and unknown keys are warned about at once. Without one every name is allowed.
    """

    def __init__(
        self, report: Report, path: Path, value: object, table: str = "", *, secret: bool = False
    ) -> None:
        self.report = report
        self.path = path
        self._values: dict[str, Any] = {}
        self._table: Table | None = TABLES[table] if table else None
        self._secret = secret
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            self._wrong(path, "a mapping", value, "Write one 'key: value' per line.")
        if self._table is not None:
            self._check_keys(self._table)

    def __contains__(self, key: str) -> bool:
        """Whether ``key`` is there with a value other than null."""
        return self._values.get(key) is not None

    def __getitem__(self, key: str) -> Any:
        return self._values.get(key)

    def names(self) -> list[str]:
        """The keys in file order."""
        return list(self._values)

    def at(self, key: str | int) -> Path:
        """The path of one key."""
        return (*self.path, key)

    def label(self, key: str) -> str:
        """The dotted name of one key."""
        return dotted(self.at(key))

    def section(self, key: str) -> Section:
        """The mapping under ``key``; an empty one if there is none."""
        known = self._key(key, "section")
        inner = known.inner if known else ""
        return Section(self.report, self.at(key), self._values.get(key), inner)

    def sections(self, key: str) -> dict[str, Section]:
        """The mappings under the names in the mapping ``key``, in file order."""
        known = self._key(key, "sections")
        names = Section(self.report, self.at(key), self._values.get(key))
        inner = known.inner if known else ""
        return {
            name: Section(self.report, names.at(name), names[name], inner) for name in names.names()
        }

    def entries(self, key: str, kind: Kind) -> Section:
        """The mapping under ``key`` whose names are free."""
        self._key(key, kind)
        return Section(self.report, self.at(key), self._values.get(key))

    def raw(self, key: str, kind: Kind) -> Any:
        """The value as it is."""
        self._key(key, kind)
        return self._values.get(key)

    def text(self, key: str) -> str:
        """A text. Numbers and booleans are texts too, written as Go writes them."""
        known = self._key(key, "text")
        default = str(known.default) if known else ""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            self._wrong(self.at(key), "a text", value)
            return default
        return text_of(value)

    def integer(self, key: str, default: int = 0) -> int:
        """A whole number. ``default`` is for sections without a table."""
        known = self._key(key, "integer")
        if known and isinstance(known.default, int):
            default = known.default
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, float) and math.isfinite(value):
            whole = int(value)
            if whole != value:
                message = f"{self.label(key)}: {text_of(value)} means {whole}"
                self.report.warning(self.at(key), message, "Write a whole number.")
            return whole
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._wrong(self.at(key), "a whole number", value, "Write digits without quotes.")
        return default

    def share(self, key: str) -> float:
        """A number above 0 and up to 1."""
        known = self._key(key, "share")
        default = float(known.default) if known and isinstance(known.default, float) else 1.0
        value = self._values.get(key)
        if value is None or has_macro(value):
            return default
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1:
            return float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            message = f"{self.label(key)}: {text_of(value)} is not above 0 and up to 1"
            self.report.error(self.at(key), message, f"Write {default:g}, say.")
        else:
            self._wrong(self.at(key), "a number", value, f"Write {default:g}, say.")
        return default

    def seconds(self, key: str, message: str = "") -> int:
        """A whole number that is not negative; ``message`` is said otherwise."""
        value = self.integer(key)
        if value < 0:
            self.report.error(self.at(key), message or f"{self.label(key)} must be >= 0")
            return 0
        return value

    def boolean(self, key: str, *, inherited: bool | None = None) -> bool:
        """A truth value; the YAML 1.1 words count where they are asked for as one.

        ``inherited`` is what holds instead of the table's default.
        """
        known = self._key(key, "boolean")
        default = bool(known.default) if known else False
        if inherited is not None:
            default = inherited
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, str) and value in _BOOLEANS:
            return _BOOLEANS[value]
        if isinstance(value, bool):
            return value
        self._wrong(self.at(key), "true or false", value)
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        known = self._key(key, "texts")
        default = known.default if known and isinstance(known.default, tuple) else ()
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, list):
            self._wrong(self.at(key), "a list", value, "Write [a, b], or one '- item' per line.")
            return default
        items = []
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                fix = "Quote the item if it holds a colon." if isinstance(item, dict) else ""
                self._wrong((*self.at(key), index), "a text", item, fix)
            else:
                items.append("" if item is None else text_of(item))
        return tuple(items)

    def duration(self, key: str) -> float:
        """Seconds of a Go duration."""
        known = self._key(key, "duration")
        value = self._values.get(key)
        if value is not None and not has_macro(value):
            try:
                return parse_duration(text_of(value))
            except ValueError as error:
                self.report.error(self.at(key), f"{self.label(key)}: {error}", "Write 5s or 1m30s.")
        return parse_duration(str(known.default)) if known else 0.0

    def size(self, key: str) -> int | None:
        """Bytes; None for ``auto`` and for a missing key without a default."""
        known = self._key(key, "size")
        default = known.default if known else None
        value = self._values.get(key)
        if value is None or has_macro(value):
            value = default
        if value is None or (value == "auto" and default == "auto"):
            return None
        try:
            if type(value) is int:
                return check_size(value)
            return parse_size(text_of(value))
        except ValueError as error:
            self.report.error(self.at(key), f"{self.label(key)}: {error}", "Write 24GiB, say.")
            return None

    def _key(self, name: str, kind: Kind) -> SwapKey | None:
        if self._table is None:
            return None
        key = self._table[name]
        assert key.kind == kind, f"{name} is a {key.kind}, not a {kind}"
        return key

    def _check_keys(self, table: Table) -> None:
        """Warn about unknown keys, by name unless they might be a secret in the wrong place."""
        for key in self._values:
            if key in table or key.startswith(TEMPLATE):
                continue
            if not self.path and self.report.is_template(key):
                continue
            label = dotted(self.path) if self._secret else self.label(key)
            what = f"a key of {label} is unknown and" if self._secret else f"unknown key {label!r}"
            self.report.warning(self.at(key), f"{what} is ignored", nearest(key, table))

    def _wrong(self, path: Path, expected: str, value: object, fix: str = "") -> None:
        if has_macro(value):
            return  # the macro engine has reported it
        kinds: dict[type, str] = {dict: "a mapping", list: "a list"}
        got = kinds.get(type(value), text_of(value))
        if isinstance(value, str):
            got = f"the text {shorten(masked(value))!r}"
        key = self._table.get(str(path[-1])) if self._table is not None and path else None
        if (self._secret or (key is not None and key.secret)) and type(value) not in {dict, list}:
            got = "something else"
        name = dotted(path) or "the top level"
        self.report.error(path, f"{name}: expected {expected}, got {got}", fix)
