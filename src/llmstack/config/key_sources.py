"""The keys of a stack as files and environment say them. No problem ever repeats a key.

Three sources: the key file that ``llmstack keys`` writes (digests only), a ``config.json`` with
keys in the clear, and the variable ``API_KEYS``, which counts where there is no ``config.json``
(behaviour report of the stack with an auth proxy, section 11). Reading is strict: an entry that is
not understood makes its source unusable, because what was meant as a limit must not be passed over.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from llmstack.config.access_key import (
    MAX_RATE,
    AccessKey,
    parse_expiry,
    parse_name,
    parse_rate,
)
from llmstack.config.numbers import BadValueError
from llmstack.config.problems import Problem, nearest
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from llmstack.config.access_key import Source

#: The variable with keys, separated by commas.
VARIABLE = "API_KEYS"

#: What configurations show where a key is needed and nobody looks at it; everybody knows it.
PLACEHOLDERS = frozenset({"sk-no-key-required", "no-key", "your-api-key", "changeme", "change-me"})

#: Characters below which a key that a person made up can be guessed.
SHORT = 20

#: Characters of the longest key: more does not fit into a request's head.
LONGEST = 4096

#: Most keys of one source.
MOST = 10_000

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEMBERS = ("name", "key", "sha256", "prefix", "models", "admin", "created", "expires", "rate")
_LISTS = ("keys", "apiKeys", "api_keys")


def parse_key_file(text: str | bytes, source: str) -> tuple[AccessKey, ...]:
    """The keys of the file that ``llmstack keys`` writes: ``{"keys": [{"name", "sha256", ...}]}``.

    Raises:
        ConfigError: it is not such a file; all problems are named.
    """
    top = _decoded(text, source)
    if not isinstance(top, dict) or not isinstance(top.get("keys"), list):
        raise _wrong(source, "there is no list of keys in it", 'Write {"keys": []} for none.')
    entries = top["keys"]
    return _Reader(source, "file").read([(f"keys[{i}]", entry) for i, entry in enumerate(entries)])


def parse_config_json(text: str | bytes, source: str) -> tuple[AccessKey, ...]:
    """The keys of a ``config.json``, which has them in the clear.

    A list, or an object that has one as ``keys``, ``apiKeys`` or ``api_keys``; what else such an
    object has is not about keys. In the list: texts, or objects with ``key`` (or ``sha256``) and
    ``name``, ``models``, ``admin``, ``expires``, ``rate``. An object in the list's place maps names
    to keys.

    Raises:
        ConfigError: there is none, or an entry is wrong; all problems are named.
    """
    top = _decoded(text, source)
    label, found = "", top
    if isinstance(top, dict):
        label = next((name for name in _LISTS if name in top), "")
        if not label:
            hint = nearest("keys", top) or 'Write {"keys": ["..."]}.'
            raise _wrong(source, "it has no keys", hint)
        found = top[label]
    reader = _Reader(source, "config.json")
    if isinstance(found, dict):
        return reader.read(
            [
                (f"{label}.{name}", {**value, "name": name})
                if isinstance(value, dict)
                else (f"{label}.{name}", {"name": name, "key": value})
                for name, value in found.items()
            ]
        )
    if not isinstance(found, list):
        raise _wrong(source, f"{label or 'it'} is no list", 'Write {"keys": ["..."]}.')
    return reader.read([(f"{label}[{index}]", entry) for index, entry in enumerate(found)])


def parse_variable(text: str) -> tuple[AccessKey, ...]:
    """The keys of ``API_KEYS``. Raises ConfigError if one of them is none."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    return _Reader(VARIABLE, "environment").read(
        [(f"key {number}", key) for number, key in enumerate(keys, 1)]
    )


def merged(*sources: tuple[AccessKey, ...]) -> tuple[AccessKey, ...]:
    """All keys; of two equal ones the first counts, and a name that is taken gets a number."""
    digests: set[str] = set()
    names: set[str] = set()
    kept = []
    for key in (key for source in sources for key in source):
        if key.sha256 in digests:
            continue
        digests.add(key.sha256)
        name, number = key.name, 2
        while name in names:
            name, number = f"{key.name}-{number}", number + 1
        names.add(name)
        kept.append(key if name == key.name else replace(key, name=name))
    return tuple(kept)


class _Reader:
    """Reads the entries of one source and collects what is wrong with them."""

    def __init__(self, source: str, kind: Source) -> None:
        self._source = source
        self._kind: Source = kind
        self._problems: list[Problem] = []

    def read(self, entries: list[tuple[str, Any]]) -> tuple[AccessKey, ...]:
        if len(entries) > MOST:
            raise _wrong(self._source, f"it has more than {MOST} keys", "Revoke some.")
        keys: list[AccessKey] = []
        names: dict[str, str] = {}
        digests: dict[str, str] = {}
        for number, (label, entry) in enumerate(entries, 1):
            key = self._entry(label, entry, number)
            if key is None:
                continue
            for value, seen, what in (
                (key.name, names, "name"),
                (key.sha256, digests, "key"),
            ):
                if (other := seen.setdefault(value, label)) != label:
                    message = f"{label} has the same {what} as {other}."
                    self._problem(message, "Remove one of them.")
            keys.append(key)
        if self._problems:
            raise ConfigError(self._problems)
        return tuple(keys)

    def _entry(self, label: str, entry: Any, number: int) -> AccessKey | None:
        before = len(self._problems)
        if isinstance(entry, str):
            entry = {"key": entry}
        if not isinstance(entry, dict):
            self._problem(f"{label} is neither a text nor an object.", "Write the key as a text.")
            return None
        for member in entry:
            if member not in _MEMBERS:
                hint = nearest(member, _MEMBERS) or "Remove it."
                self._problem(f"{label} has an unknown member, {member[:40]!r}.", hint)
        made = "env" if self._kind == "environment" else "config"
        key = AccessKey(
            name=self._text(label, entry, "name", parse_name) or f"{made}-{number}",
            sha256=self._digest(label, entry),
            models=self._models(label, entry),
            admin=self._admin(label, entry),
            prefix=self._prefix(label, entry),
            created=self._number(label, entry, "created"),
            expires=self._expires(label, entry),
            rate=self._rate(label, entry),
            source=self._kind,
        )
        if self._kind == "file" and not entry.get("name"):
            self._problem(f"{label} has no name.", "Give it one.")
        return key if len(self._problems) == before else None

    def _digest(self, label: str, entry: dict[str, Any]) -> str:
        key, digest = entry.get("key"), entry.get("sha256")
        if self._kind == "file" and key is not None:
            self._problem(f"{label} holds a key.", "Only its sha256 belongs here.")
        elif (key is None) == (digest is None):
            self._problem(f"{label} needs one of key and sha256.", "Write one of them.")
        elif digest is not None:
            if isinstance(digest, str) and _DIGEST.fullmatch(digest.lower()):
                return digest.lower()
            fix = "Write what sha256sum prints for the key."
            self._problem(f"{label}.sha256 is not 64 hexadecimal digits.", fix)
        elif not isinstance(key, str) or not _showable(key):
            fix = "Use letters, digits and punctuation, without blanks: openssl rand -hex 32"
            self._problem(f"{label} is no key.", fix)
        elif key.lower() in PLACEHOLDERS:
            fix = "Make one that nobody knows: openssl rand -hex 32"
            self._problem(f"{label} is the placeholder of an example.", fix)
        else:
            return sha256(key.encode()).hexdigest()
        return ""

    def _prefix(self, label: str, entry: dict[str, Any]) -> str:
        """For keys in the clear only as much as gives nothing away."""
        key = entry.get("key")
        if isinstance(key, str):
            return f"{key[:4]}..." if len(key) >= SHORT else ""
        return self._text(label, entry, "prefix", lambda text: text[:40]) or ""

    def _models(self, label: str, entry: dict[str, Any]) -> tuple[str, ...] | None:
        models = entry.get("models")
        if models is None:
            return None
        if isinstance(models, list) and models and all(_is_name(name) for name in models):
            return tuple(dict.fromkeys(models))
        self._problem(f"{label}.models is no list of names.", "Leave it out for all models.")
        return ()

    def _admin(self, label: str, entry: dict[str, Any]) -> bool:
        admin = entry.get("admin", False)
        if not isinstance(admin, bool):
            self._problem(f"{label}.admin is neither true nor false.", "Write one of them.")
        return admin is True

    def _number(self, label: str, entry: dict[str, Any], member: str) -> int | None:
        value = entry.get(member)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
            self._problem(f"{label}.{member} is no time.", "Write seconds since 1970.")
            return None
        return int(value)

    def _expires(self, label: str, entry: dict[str, Any]) -> int | None:
        if isinstance(entry.get("expires"), str):  # a length of time has no beginning here
            ends: int | None = self._text(label, entry, "expires", _date)
            return ends
        return self._number(label, entry, "expires")

    def _rate(self, label: str, entry: dict[str, Any]) -> int | None:
        rate = entry.get("rate")
        if isinstance(rate, str):
            rate = self._text(label, entry, "rate", parse_rate)
            return rate if isinstance(rate, int) else None
        if type(rate) is int and 1 <= rate <= MAX_RATE:
            return rate
        if rate is None:
            return None
        self._problem(f"{label}.rate is no rate.", "Write requests a minute, or leave it out.")
        return None

    def _text(self, label: str, entry: dict[str, Any], member: str, parse: Any) -> Any:
        value = entry.get(member)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self._problem(f"{label}.{member} is no text.", "Put it in quotes.")
            return None
        try:
            return parse(value)
        except BadValueError as error:
            self._problem(f"{label}.{member}: {error.what}.", error.fix)
            return None

    def _problem(self, message: str, fix: str) -> None:
        self._problems.append(Problem(self._source, None, message, fix))


def _decoded(text: str | bytes, source: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        # Of the decoder's words only the place: it may quote what is there.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _wrong(source, f"it is no JSON{where}", "Put it right, or move it away.") from None


def _wrong(source: str, message: str, fix: str) -> ConfigError:
    return ConfigError([Problem(source, None, f"{message}.", fix)])


def _showable(key: str) -> bool:
    """Whether a header can hold the key."""
    return key.isascii() and key.isprintable() and " " not in key and 0 < len(key) <= LONGEST


def _date(text: str) -> int:
    return parse_expiry(text, None)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= 1024 and name.isprintable()
