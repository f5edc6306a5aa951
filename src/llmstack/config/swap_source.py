"""The text of one llama-swap configuration file as a tree, with the environment put in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmstack.config.macros import env_references, substitute_env
from llmstack.config.problems import Problem
from llmstack.config.redact import hide, secrets_in
from llmstack.config.yaml_source import Document, read_yaml
from llmstack.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A file that has been read.

    ``unset`` are the environment variables that could not be put in, which the problems of
    ``document`` tell; ``secrets`` the values that were put in and may be secret.
    """

    document: Document
    unset: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()


#: A larger file is something else. 1000 models in full take a third of this.
MAX_BYTES = 2 << 20


def read_text(path: Path) -> str:
    """The text of the file at ``path``, which may be a pipe. Raises ConfigError."""
    source = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(source, error) from error
    if len(data) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES >> 20} MiB, so it is no configuration."
        raise ConfigError([Problem(source, None, message, "Name the YAML file with the models.")])
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(source, line, "is not UTF-8 text.", "Save the file as UTF-8.")
        raise ConfigError([problem]) from error


def unreadable(source: str, error: OSError) -> ConfigError:
    """What to say of a file or directory that cannot be read."""
    match error:
        case FileNotFoundError():
            fix = "Check the name, and the directory that you are in."
        case PermissionError():
            fix = "Let the user that runs llmstack read it."
        case IsADirectoryError():
            fix = "Name a file, or give the directory with -config-dir."
        case NotADirectoryError():
            fix = "Name a directory, or give the file with -config."
        case _:
            fix = ""
    return ConfigError([Problem(source, None, f"cannot be read: {error.strerror or error}.", fix)])


def read_source(text: str, source: str, environ: Mapping[str, str]) -> Source:
    """The text parsed with its environment references replaced.

    A text that is not YAML before the replacement is searched as it is.
    """
    document = read_yaml(text, source)
    if "${env." not in text:
        return Source(document)
    references = env_references(text if document.tree is None else document.tree)
    replaced, findings = substitute_env(text, references, environ)
    lines = text.splitlines()
    problems = []
    for name, finding in findings.items():
        first = document.locate(finding.path).line or 1
        written = (n for n in range(first, len(lines) + 1) if f"env.{name}}}" in lines[n - 1])
        message = f"{finding.message}."
        problems.append(Problem(source, next(written, first), message, finding.fix))
    unset = frozenset(findings)
    if document.tree is None and problems:
        return Source(Document(source, None, {}, tuple(problems)), unset)
    document = read_yaml(replaced, source)
    values = {name: environ[name] for name in references if name not in findings}
    secrets = secrets_in(values)
    told = [replace(each, message=hide(each.message, secrets)) for each in document.problems]
    return Source(replace(document, problems=(*problems, *told)), unset, secrets)
