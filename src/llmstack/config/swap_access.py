"""The ``apiKeys`` of a llama-swap configuration. No problem ever repeats a key."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from llmstack.config.macros import has_macro, text_of
from llmstack.config.names import Unknown
from llmstack.config.swap import ApiKey
from llmstack.config.swap_fields import Section
from llmstack.config.swap_selectors import remedy

if TYPE_CHECKING:
    from llmstack.config.names import Names

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def read_api_keys(
    top: Section, names: Names, finding: tuple[str, ...] = ()
) -> tuple[tuple[ApiKey, ...], tuple[str, ...]]:
    """The keys, known by their digests, and those that are written in the clear.

    Nobody knows yet what the peers ``finding`` have; a key may name it all the same.
    """
    report = top.report
    entries = top.raw("apiKeys", "keys")
    if entries is None:
        return (), ()
    if not isinstance(entries, list):
        if not has_macro(entries):
            message = "apiKeys: expected a list, got something else"
            report.error(top.at("apiKeys"), message, "Write one '- key' per line.")
        return (), ()
    keys: list[ApiKey] = []
    clear: list[str] = []
    digests: dict[str, int] = {}
    owners: dict[str, int] = {}
    for index, entry in enumerate(entries):
        path = (*top.at("apiKeys"), index)
        section = Section(report, path, entry, "api key", secret=True) if _mapping(entry) else None
        digest = _digest(top, entry, section, index, clear)
        if digest is None:
            continue
        if (other := digests.setdefault(digest, index)) != index:
            message = f"apiKeys[{index}] is the same key as apiKeys[{other}]"
            if section is None and not _mapping(entries[other]):  # no contradiction
                report.warning(path, message, "Remove one of them.")
                continue
            report.error(path, message, "Remove one of them.")
        name = section.text("name").strip() if section else ""
        if name and (other := owners.setdefault(name, index)) != index:
            message = f'apiKeys[{index}] has the name of apiKeys[{other}], "{name}"'
            report.error(path, message, "Choose another name.")
        if section is None:
            keys.append(ApiKey(digest))
            continue
        scope = _scope(section, names, finding) if "models" in section else None
        keys.append(ApiKey(digest, name, scope, section.boolean("admin")))
    return tuple(keys), tuple(clear)


def _mapping(entry: object) -> bool:
    return isinstance(entry, dict)


def _digest(
    top: Section, entry: object, section: Section | None, index: int, clear: list[str]
) -> str | None:
    """The digest of one entry; None after a problem. A key in the clear is added to ``clear``."""
    report = top.report
    path = (*top.at("apiKeys"), index)
    label = f"apiKeys[{index}]"
    if section is not None and "sha256" in section:
        if "key" in section:
            report.error(path, f"{label} has both key and sha256", "Keep one of them.")
        match = _DIGEST.fullmatch(section.text("sha256").strip().lower())
        if match is None:
            message = f"{label}.sha256 is not 64 hexadecimal digits"
            report.error(
                section.at("sha256"), message, "Write what sha256sum prints for the key, in quotes."
            )
            return None
        return match[1]
    key = entry
    if section is not None:
        path = section.at("key") if "key" in section else path
        key = section.text("key")
    if isinstance(key, list):
        report.error(path, f"{label}: expected a text, got a list", "Write the key itself.")
        return None
    text = "" if key is None else text_of(key)
    if has_macro(text):
        return None
    if not text.strip():
        report.error(path, "empty api key found in apiKeys", "Write a key or remove the entry.")
        return None
    if " " in text:
        message = f"{label}: api key cannot contain spaces"
        report.error(path, message, "Use letters, digits and - only.")
        return None
    clear.append(text)
    return sha256(text.encode()).hexdigest()


def _scope(section: Section, names: Names, finding: tuple[str, ...]) -> frozenset[str]:
    """Canonical names of the models that the key may use."""
    found = set()
    for index, name in enumerate(section.texts("models")):
        target = names.resolve(name)
        if not isinstance(target, Unknown) and hasattr(target, "canonical"):
            found.add(target.canonical)
        elif name.startswith(tuple(f"{peer}/" for peer in finding)):
            found.add(name)
        elif isinstance(target, Unknown) and not has_macro(name):
            message = f'{section.label("models")} references unknown model "{name}"'
            path = (*section.at("models"), index)
            section.report.error(path, message, remedy(target, names))
    return frozenset(found)
