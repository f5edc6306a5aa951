"""Typed reading of a llama-swap configuration: every mismatch becomes a problem, none raises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmstack.config.macros import dotted, has_macro, text_of
from llmstack.config.problems import Problem, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from llmstack.config.macros import Finding
    from llmstack.config.yaml_source import Document, Path

#: Texts that the Go reader takes for a boolean where a boolean is expected.
_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "on"), True),
    **dict.fromkeys(("n", "N", "no", "off"), False),
}


class Report:
    """Collects the problems of one document, each with its file and line."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: dict[Problem, None] = {}
        for problem in document.problems:
            self._add(problem)

    def error(self, path: Path, message: str, fix: str = "") -> None:
        """Note what makes the configuration unusable."""
        place = self._document.locate(path)
        self._add(Problem(place.file, place.line, message, fix))

    def warning(self, path: Path, message: str, fix: str = "") -> None:
        """Note what is probably not meant."""
        place = self._document.locate(path)
        self._add(Problem(place.file, place.line, message, fix, "warning"))

    def findings(self, findings: Iterable[Finding]) -> None:
        """Note what the macro engine found."""
        for finding in findings:
            note = self.error if finding.severity == "error" else self.warning
            note(finding.path, finding.message, finding.fix)

    def line(self, path: Path) -> int | None:
        """The line of the value at ``path``."""
        return self._document.locate(path).line

    @property
    def failed(self) -> bool:
        """Whether any problem is an error."""
        return any(problem.severity == "error" for problem in self._problems)

    def ordered(self) -> tuple[Problem, ...]:
        """All problems in the order of their lines."""
        return tuple(sorted(self._problems, key=lambda problem: (problem.file, problem.line or 0)))

    def _add(self, problem: Problem) -> None:
        ended = problem.message.endswith((".", "!", "?"))
        message = problem.message if ended else f"{problem.message}."
        self._problems[replace(problem, message=message)] = None


class Section:
    """One mapping of the tree. A missing or null key has the default, as does a wrong one."""

    def __init__(self, report: Report, path: Path, value: object) -> None:
        self.report = report
        self.path = path
        self._values: dict[str, Any] = {}
        if isinstance(value, dict):
            self._values = value
        elif value is not None:
            self._wrong(path, "a mapping", value, "Write one 'key: value' per line.")

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
        return Section(self.report, self.at(key), self._values.get(key))

    def text(self, key: str, default: str = "") -> str:
        """A text. Numbers and booleans are texts too, written as Go writes them."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            self._wrong(self.at(key), "a text", value)
            return default
        return text_of(value)

    def integer(self, key: str, default: int) -> int:
        """A whole number."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._wrong(self.at(key), "a whole number", value, "Write digits without quotes.")
        return default

    def seconds(self, key: str, default: int, message: str = "") -> int:
        """A whole number of seconds that is not negative; ``message`` is said otherwise."""
        value = self.integer(key, default)
        if value < 0:
            self.report.error(self.at(key), message or f"{self.label(key)} must be >= 0")
            return default
        return value

    def boolean(self, key: str, *, default: bool = False) -> bool:
        """A truth value; the YAML 1.1 words count where they are asked for as one."""
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
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self._wrong(self.at(key), "a list", value, "Write [a, b], or one '- item' per line.")
            return ()
        items = []
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                fix = "Quote the item if it holds a colon." if isinstance(item, dict) else ""
                self._wrong((*self.at(key), index), "a text", item, fix)
            else:
                items.append("" if item is None else text_of(item))
        return tuple(items)

    def check_keys(self, known: Collection[str], later: Collection[str] = ()) -> None:
        """Warn about unknown keys and about known ones that this release does not act on."""
        for key in self._values:
            if key in later:
                if self[key] not in (None, [], {}):
                    message = f"{self.label(key)} is not supported yet and is ignored"
                    self.report.warning(self.at(key), message)
            elif key not in known:
                message = f"unknown key {self.label(key)!r} is ignored"
                self.report.warning(self.at(key), message, nearest(key, [*known, *later]))

    def _wrong(self, path: Path, expected: str, value: object, fix: str = "") -> None:
        if has_macro(value):
            return  # the macro engine has reported it
        kinds: dict[type, str] = {dict: "a mapping", list: "a list", str: f"the text {value!r}"}
        got = kinds.get(type(value), text_of(value))
        name = dotted(path) or "the top level"
        self.report.error(path, f"{name}: expected {expected}, got {got}", fix)
