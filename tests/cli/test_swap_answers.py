"""``llmstack swap -check`` and ``-explain``: what is wrong where, who would go and why."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.swaps import config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

GROUPS = """
groups:
  together:
    swap: false
    exclusive: false
    members: [a, b]
"""


def test_check_of_a_good_file_exits_0_and_shows_warnings(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a", "b", more="logLevl: debug"))
    outcome = command("swap", "--check", "--config", "config.yaml")
    assert outcome.status == 0
    assert "config.yaml:2: warning:" in outcome.out
    assert "'logLevel'" in outcome.out
    assert "usable: 2 models, 1 warning" in outcome.out


def test_check_of_a_bad_file_exits_1_and_shows_every_problem(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    bad = "startPort: 0\nlogToStdout: nobody\nmodels:\n  a:\n    cmd: ''\n"
    (tmp_path / "config.yaml").write_text(bad)
    outcome = command("swap", "--check", "--config", "config.yaml")
    assert outcome.status == 1
    assert "config.yaml:1:" in outcome.out
    assert "config.yaml:2:" in outcome.out
    assert "not usable:" in outcome.out


def test_check_reads_a_directory_too(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    (tmp_path / "config.yaml").write_text(config("a"))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.yaml").write_text("models:\n  b:\n    cmd: server ${PORT}\n")
    both = ["-config", "config.yaml", "-config-dir", "more"]
    outcome = command("swap", "-check", *both)
    assert outcome.status == 0
    assert "usable: 2 models, no warnings" in outcome.out


def test_explain_says_who_is_evicted_and_why(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a", "b", "c", "d", more=GROUPS))
    outcome = command("swap", "-config", "config.yaml", "-explain", "c", "-running", "a, d")
    assert outcome.status == 0
    assert "evicted for c: a, d" in outcome.out
    assert "because:" in outcome.out
    outcome = command("swap", "-config", "config.yaml", "--explain=a", "--running=b")
    assert "evicted for a: nothing" in outcome.out
    outcome = command("swap", "-config", "config.yaml", "--explain=a", "--running=a,b")
    assert "already running" in outcome.out


def test_explain_of_a_name_that_is_not_there_exits_1(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("vision"))
    outcome = command("swap", "-config", "config.yaml", "-explain", "vison")
    assert outcome.status == 1
    assert "Did you mean 'vision'?" in outcome.err


NAMES = """
selectors: {any: {strategy: pin, targets: [a, there]}}
peers: {far: {proxy: "http://far", models: [there]}}
"""


@pytest.mark.parametrize(
    ("name", "told", "fix"),
    [
        ("any", "'any' is a selector, not a model", "one of its targets: a, there"),
        ("there", "'there' runs on the peer 'far'", "a model of this configuration"),
    ],
)
def test_explain_says_what_a_name_is_that_is_no_local_model(
    name: str, told: str, fix: str, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text(config("a", more=NAMES))
    outcome = command("swap", "-config", "config.yaml", "-explain", name)
    assert outcome.status == 1
    assert told in outcome.err
    assert fix in outcome.err


# What scripts read.


def test_check_answers_in_json(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    (tmp_path / "config.yaml").write_text(config("a", "b", more="logLevl: debug"))
    outcome = command("swap", "--check", "--json", "--config", "config.yaml")
    assert outcome.status == 0
    assert json.loads(outcome.out) == {
        "usable": True,
        "models": 2,
        "problems": [
            {
                "file": "config.yaml",
                "line": 2,
                "message": "unknown key 'logLevl' is ignored.",
                "fix": "Did you mean 'logLevel'?",
                "severity": "warning",
            }
        ],
    }
    (tmp_path / "config.yaml").write_text("startPort: 0\nmodels: {a: {cmd: 'x ${PORT}'}}\n")
    outcome = command("swap", "--check", "--json", "--config", "config.yaml")
    assert outcome.status == 1
    answer = json.loads(outcome.out)
    assert (answer["usable"], answer["models"]) == (False, 0)
    assert [problem["severity"] for problem in answer["problems"]] == ["error"]


def test_explain_answers_in_json(tmp_path: Path, command: Callable[..., Outcome]) -> None:
    (tmp_path / "config.yaml").write_text(config("a", "b", "c", more=GROUPS))
    outcome = command("swap", "-config", "config.yaml", "-explain", "c", "-running", "b,a", "-json")
    assert outcome.status == 0
    answer = json.loads(outcome.out)
    because = answer.pop("reason")
    assert answer == {"model": "c", "running": ["b", "a"], "evict": ["a", "b"]}
    assert because.startswith('group "(default)" is exclusive: a, b')
    outcome = command("swap", "-config", "config.yaml", "-explain", "c", "-running", "c", "-json")
    assert json.loads(outcome.out)["evict"] == []


# All problems at once, in files of all kinds.


def test_check_finds_the_mistakes_of_the_matrix_together_with_all_others(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    (tmp_path / "config.yaml").write_text("startPort: 0\n")
    (tmp_path / "more").mkdir()
    matrix = "\nmatrix:\n  vars: {x: nobody}\n  sets:\n    s: a &\n    t: x & zz\n"
    models = "models: {a: {cmd: 'x ${PORT}'}}\n"
    (tmp_path / "more" / "m.yaml").write_text(models + matrix)
    outcome = command("swap", "-check", "-config", "config.yaml", "-config-dir", "more")
    assert outcome.status == 1
    lines = outcome.out.splitlines()
    file = os.path.join("more", "m.yaml")  # noqa: PTH118
    assert [line.split(" ")[0] for line in lines[:-1]] == [
        "config.yaml:1:",
        f"{file}:4:",
        f"{file}:6:",
        f"{file}:7:",
    ]
    assert 'references unknown model "nobody"' in lines[1]
    assert 'set "t"' in lines[3]
    assert lines[-1] == "not usable: 4 errors, no warnings"


HOSTILE = {
    "binary": (bytes(range(256)) * 8, "is not UTF-8 text", "Save the file as UTF-8."),
    "utf-16": ("models: {}".encode("utf-16"), "is not UTF-8 text", "Save the file as UTF-8."),
    "zero bytes": (b"\0" * 100, "U+0000 is not allowed", "Remove it"),
    "large": (b"#" * (3 << 20), "is larger than 2 MiB", "Name the YAML file with the models."),
    "deep": (b"a: " + b"[" * 50_000, "nested deeper than 100", ""),
    "tabs": (b"models:\n\ta: {}\n", "cannot start any token", "with spaces, not with tabs"),
    "twice": (b"models: {}\nmodels: {}\n", "already defined at line 1", "Remove or rename"),
    "a list": (b"- a\n", "expected a mapping", "Write one 'key: value' per line."),
    "a page": (b"<html><body>404</body></html>", "expected a mapping", "key: value"),
    "two": (b"a: 1\n---\nb: 2\n", "expected a single document", ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_check_of_what_is_no_configuration_says_what_where_and_what_to_do(
    kind: str, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    data, told, fix = HOSTILE[kind]
    (tmp_path / "config.yaml").write_bytes(data)
    outcome = command("swap", "-check", "-config", "config.yaml")
    assert (outcome.status, outcome.err) == (1, "")
    first, verdict = outcome.out.splitlines()
    assert first.startswith("config.yaml:")
    assert told in first
    assert fix in first
    assert len(first) < 300
    assert verdict == "not usable: 1 error, no warnings"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-config", "missing.yaml"], "missing.yaml: cannot be read: No such file"),
        (["-config", "folder"], "give the directory with -config-dir"),
        (["-config-dir", "missing"], "missing: cannot be read: No such file"),
        (["-config-dir", "file.txt"], "give the file with -config"),
        (["-config-dir", "folder"], "folder: no configuration sources found"),
        (["-config", "loop.yaml"], "loop.yaml: cannot be read: Too many levels"),
        (["-config-dir", "loops"], "a.yaml: cannot be read: Too many levels"),
        (["-config-dir", "broken"], "a.yaml: cannot be read: No such file"),
    ],
)
def test_check_of_what_cannot_be_read_names_it(
    flags: list[str], told: str, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    for folder in ("folder", "loops", "broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file.txt").write_text("models: {}")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "loops" / "a.yaml").symlink_to("a.yaml")
    (tmp_path / "broken" / "a.yaml").symlink_to("nowhere.yaml")
    outcome = command("swap", "-check", *flags)
    assert outcome.status == 1
    assert told in outcome.out
    assert "Traceback" not in outcome.err


def test_check_reads_what_other_editors_write(
    tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    """A byte order mark and Windows line ends change nothing, line numbers included."""
    text = "\ufeffmodels:\r\n  a:\r\n    cmd: |\r\n      x\r\n      -p ${PORT}\r\n    ttl: -5\r\n"
    (tmp_path / "config.yaml").write_bytes(text.encode())
    outcome = command("swap", "-check", "-config", "config.yaml")
    assert outcome.out.startswith("config.yaml:6: model a: invalid TTL value -5.")
    (tmp_path / "config.yaml").write_bytes(text.replace("-5", "5").encode())
    assert command("swap", "-check", "-config", "config.yaml").status == 0
