"""``models.ini`` → a ``Stack``, with every problem of the file reported at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.aliases import AUTO, assign_aliases
from llmstack.config.fallbacks import resolve_fallbacks
from llmstack.config.fields import NAME, Fields
from llmstack.config.ini import DEFAULT, Section, read_ini
from llmstack.config.keys import is_secret, names, names_for
from llmstack.config.numbers import shown
from llmstack.config.plain_file import read_plain
from llmstack.config.problems import Problem, nearest
from llmstack.config.read_hosted import (
    LITELLM,
    check_values,
    is_source,
    kind_of,
    leave_out,
    read_source,
)
from llmstack.config.read_settings import check_ports, read_routing, read_settings
from llmstack.config.read_tier import read_tier
from llmstack.config.stack import Stack
from llmstack.config.variables import holds_key
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from llmstack.config.hosted import Source
    from llmstack.config.ini import Document
    from llmstack.config.key import SectionKind
    from llmstack.config.stack import Settings, Tier

ROUTING = "ROUTING"
#: Keys whose values say themselves whether they are credentials, and those that name files.
_OTHERWISE_CHECKED = names_for("aws", "url") | {
    *("path", "mmproj", "draft_path", "hf_repo", "hf_file", "hf_repo_next", "hf_file_next")
}
#: The source that a found Ollama is.
OLLAMA = "ollama"


@dataclass(frozen=True, slots=True)
class LoadedStack:
    """A usable stack and what is odd about its file."""

    stack: Stack
    warnings: tuple[Problem, ...] = ()


def load_stack(path: Path) -> LoadedStack:
    """Read a ``models.ini``. Raises ``ConfigError`` with all problems when it is unusable."""
    source = str(path)
    try:
        data = read_plain(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            [Problem(source, None, f"The file cannot be read: {reason}.", "Check the path.")]
        ) from None
    return _load(data, source, path.absolute().parent)


def parse_stack(text: str, source: str) -> LoadedStack:
    """Like ``load_stack`` for text at hand; paths in it are relative to the folder of ``source``.

    Raises ``ConfigError`` with all problems when the text is unusable.
    """
    return _parse(text, source, Path(source).parent, [])


def _load(data: bytes, source: str, base: Path) -> LoadedStack:
    problems: list[Problem] = []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(Problem(source, line, "The file is not UTF-8.", "Save it as UTF-8."))
        text = data.decode("utf-8", errors="replace")
    return _parse(text, source, base, problems)


def _parse(text: str, source: str, base: Path, problems: list[Problem]) -> LoadedStack:
    document = read_ini(text, source)
    problems += document.problems
    defaults = document.defaults
    routing_section = Section(ROUTING)
    tier_sections = []
    for section in document.sections:
        if section.name == ROUTING:
            routing_section = section
        elif _is_tier(section, source, problems):
            tier_sections.append(section)

    for section in (defaults, *document.sections):
        _check_secrets(section, source, problems)
        check_values(Fields(source, section, problems))
    _check_keys(defaults, "DEFAULT", source, problems)
    _check_keys(routing_section, "ROUTING", source, problems)
    for section in tier_sections:
        _check_keys(section, "tier", source, problems)

    default_fields = Fields(source, defaults, problems)
    settings = read_settings(default_fields, base)
    routing = read_routing(Fields(source, routing_section, problems, defaults))
    tiers, sources = _read_tiers(
        [Fields(source, section, problems, defaults) for section in tier_sections],
        document,
        base,
        problems,
    )
    check_ports(default_fields, settings, sum(tier.hosted is None for tier in tiers))
    _check_sources(sources, settings, document, problems)

    problems = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    if any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    return LoadedStack(Stack(source, settings, tiers, routing, sources), tuple(problems))


def _is_tier(section: Section, source: str, problems: list[Problem]) -> bool:
    """Whether the section can be a tier, by its name."""
    message, fix = "", ""
    if section.name.strip().upper() in (ROUTING, DEFAULT):
        message = f"[{section.name}] is not written [{section.name.strip().upper()}]."
        fix = "Write it in capitals, without blanks."
    elif NAME.fullmatch(section.name) is None:
        message = f"{shown(section.name)} cannot be the name of a tier."
        fix = "Use letters, digits, dot, _ and -, beginning with a letter or digit."
    elif section.name == AUTO:
        message = "A tier cannot be called auto, which asks for automatic routing."
        fix = "Choose another name."
    if message:
        problems.append(Problem(source, section.line, message, fix))
    return not message


def _check_secrets(section: Section, source: str, problems: list[Problem]) -> None:
    """W38: refuse credentials in every section, whatever it is."""
    problems += [
        Problem(
            source,
            entry.line,
            f"[{section.name}] {key}: credentials do not belong in this file, which other "
            "machines may read.",
            "Remove it; name an AWS profile in aws_profile, or in api_key_env the environment "
            "variable that holds a key.",
        )
        for key, entry in section.entries.items()
        if is_secret(key) or (key not in _OTHERWISE_CHECKED and holds_key(entry.value))
    ]


def _check_keys(section: Section, kind: SectionKind, source: str, problems: list[Problem]) -> None:
    """Warn of keys that nobody reads."""
    known = names(kind)
    for key, entry in section.entries.items():
        if is_secret(key) or key in known:
            continue
        place = " here" if key in names("DEFAULT") else ""
        hint = "It belongs in [DEFAULT]." if key in _settings() else ""
        problems.append(
            Problem(
                source,
                entry.line,
                f"[{section.name}] {key}: the key is not known{place} and has no effect.",
                hint or ("" if place else nearest(key, known)),
                "warning",
            )
        )


def _settings() -> frozenset[str]:
    return frozenset(names("DEFAULT")) - frozenset(names("tier")) - frozenset(names("ROUTING"))


def _read_tiers(
    sections: list[Fields], document: Document, base: Path, problems: list[Problem]
) -> tuple[tuple[Tier, ...], tuple[Source, ...]]:
    tiers: list[tuple[Fields, Tier]] = []
    sources: list[Source] = []
    unread = 0
    for fields in sections:
        kind = kind_of(fields)
        if not kind:
            unread += 1
        elif kind == LITELLM:
            leave_out(fields)
        elif is_source(fields, kind):
            sources.append(read_source(fields, kind))
        else:
            tiers.append((fields, read_tier(fields, base, kind)))
    if not tiers and not unread:
        problems.append(
            Problem(
                document.source,
                None,
                "The file declares no tier that this version can serve."
                if sections
                else "The file declares no tier.",
                "Add a section such as [code-fast] with hf_repo and hf_file, or path, or backend.",
            )
        )
    lines = {section.name: section.line for section in document.sections}
    aliases = assign_aliases([(fields, tier.role) for fields, tier in tiers], lines)
    named = [(fields, replace(tier, aliases=aliases[tier.name])) for fields, tier in tiers]
    others = frozenset(fields.own.name for fields in sections) - aliases.keys()
    return resolve_fallbacks(named, others), tuple(sources)


def _check_sources(
    sources: tuple[Source, ...], settings: Settings, document: Document, problems: list[Problem]
) -> None:
    """The models of a found Ollama are called like those of a source ``ollama``."""
    lines = {section.name: section.line for section in document.sections}
    if settings.ollama != "off" and any(source.name == OLLAMA for source in sources):
        problems.append(
            Problem(
                document.source,
                lines[OLLAMA],
                f"[{OLLAMA}] is the name of a found Ollama, whose models are {OLLAMA}/MODEL.",
                f"Rename the section, or write {OLLAMA} = off in [DEFAULT].",
            )
        )
