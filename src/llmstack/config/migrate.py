"""An older ``models.ini`` → the same stack in today's words, line by line, comments kept.

Both older generations are read as they are; this only puts into plain words what a reader of the
file would otherwise have to know: roles of the newer generation, hosted tiers behind a LiteLLM
proxy, misspelt section names, numbers that used to be cut off at the first comma.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.config.ini import DEFAULT, read_ini
from llmstack.config.litellm import todays_keys
from llmstack.config.roles import role_of

if TYPE_CHECKING:
    from llmstack.config.ini import Document, Entry, Section

_NUMBERS = ("ctx_size", "max_output_tokens", "high_fidelity_ceiling", "mid_fidelity_ceiling")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_ROUTING = "ROUTING"


@dataclass(frozen=True, slots=True)
class Migration:
    """``text`` is the new file, equal to the old one when there is nothing to do.

    ``notes`` say what a person must decide.
    """

    text: str
    notes: tuple[str, ...] = ()


def migrate(text: str, source: str) -> Migration:
    """Rewrite the lines that speak an older language. A broken file is not repaired."""
    text = text.removeprefix("\ufeff")
    document = read_ini(text, source)
    lines = text.splitlines(keepends=True)
    work = _Work(lines, [])
    for section in (document.defaults, *document.sections):
        _section(section, document, work)
    return Migration("".join(lines), tuple(work.notes))


@dataclass(frozen=True, slots=True)
class _Work:
    lines: list[str]
    notes: list[str]

    def set(self, entry: Entry, value: str, key: str | None = None) -> None:
        """Write another value, and perhaps key, where ``entry`` stands on one line."""
        number = entry.line - 1
        old = self.lines[number]
        written = re.escape(entry.value)
        match = re.match(rf"(\s*)([^=:]+?)(\s*[=:]\s*){written}", old)
        if match is not None:
            indent, name, equals = match.groups()
            self.lines[number] = f"{indent}{key or name}{equals}{value}{old[match.end() :]}"

    def add(self, entry: Entry, key: str, value: str) -> None:
        """Write another key below ``entry``."""
        number = entry.line - 1
        line = self.lines[number]
        ending = line[len(line.rstrip("\r\n")) :] or "\n"
        self.lines[number] = line.rstrip("\r\n") + f"{ending}{key} = {value}{ending}"

    def rename(self, section: Section, name: str) -> None:
        if section.line is not None:
            number = section.line - 1
            self.lines[number] = self.lines[number].replace(f"[{section.name}]", f"[{name}]", 1)


def _section(section: Section, document: Document, work: _Work) -> None:
    plain = section.name.strip().upper()
    if plain in (_ROUTING, DEFAULT) and section.name != plain:
        work.rename(section, plain)
    for key in _NUMBERS:
        entry = section.entries.get(key)
        if entry and _THOUSANDS.fullmatch(entry.value):
            work.set(entry, entry.value.replace(",", ""))
    _role(section, work)
    _hosted(section, document, work)


def _role(section: Section, work: _Work) -> None:
    """``role = build`` with ``tier = subagent`` is ``role = fast``, and so on."""
    role, tier = section.entries.get("role"), section.entries.get("tier")
    if role is None:
        return
    meant = role_of(role.value.lower(), tier.value.lower() if tier else "")
    if meant and meant != role.value.lower():
        work.set(role, meant)


def _hosted(section: Section, document: Document, work: _Work) -> None:
    """``model = PROVIDER/NAME`` behind a proxy is today's ``backend`` and what belongs to it."""
    model = section.entries.get("model")
    if model is None:
        return
    keys = todays_keys(model.value)
    if not keys:
        work.notes.append(
            f"{document.source}:{model.line}: [{section.name}] model = {model.value} went through "
            "a LiteLLM proxy. Say where the model is served: backend, base_url, model_name and "
            "api_key_env."
        )
        return
    named = "aws_model_id" if "aws_model_id" in keys else "model_name"
    work.set(model, keys[named], key=named)
    upgrade = section.entries.get("model_next")
    if upgrade:
        later = todays_keys(upgrade.value)
        if later and {**later, named: ""} == {**keys, named: ""}:
            work.set(upgrade, later[named], key=f"{named}_next")
    backend = section.entries.get("backend")
    if backend is not None:
        work.set(backend, keys["backend"])
    elif "aws_model_id" not in keys:
        work.add(model, "backend", keys["backend"])
    for key in ("base_url", "api_key_env"):
        if key in keys and key not in section.entries:
            work.add(model, key, keys[key])
