"""``llmstack keys`` without a daemon: what is told, and what is only ever shown once."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.cli import main
from llmstack.cli.keys_view import key_lines
from tests.cli.conftest import OURS, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INI = """[code-fast]
role = fast
aliases = quick
hf_repo = a/b
hf_file = c.gguf
[away]
backend = peer
base_url = http://192.0.2.1
"""


@pytest.fixture
def keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """``llmstack keys`` in a project, within this process."""
    (tmp_path / ".llmstack").mkdir()
    (tmp_path / ".llmstack" / "models.ini").write_text(INI)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LLMSTACK_WORK_DIR", str(tmp_path))
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(tmp_path / "data"))

    def run(words: str, **environ: str) -> Outcome:
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            status = main(["keys", *words.split()])
        said = capsys.readouterr()
        return Outcome(status, said.out, said.err)

    return run


def test_a_key_is_shown_once_and_alone_on_standard_output(keys: Callable[..., Outcome]) -> None:
    made = keys("add laptop --models quick,auto,away/x --rate 60/min --expires 2099-01-01")
    assert made.status == 0
    secret = made.out.strip()
    assert secret.startswith("sk-llmstack-")
    assert secret not in made.err
    assert "quick, auto, away/x; 60 requests a minute; until 2099-01-01" in made.err
    listed = keys("")
    assert secret not in listed.out
    assert listed.out.split()[:2] == ["laptop", f"{secret[:16]}..."]
    again = keys("add laptop")
    assert (again.status, "already" in again.err) == (1, True)
    assert keys("revoke laptop").status == 0
    assert "there are no keys" in keys("list").out


def test_the_list_is_for_scripts_too(keys: Callable[..., Outcome]) -> None:
    keys("add me --admin")
    told = json.loads(keys("list --json", API_KEYS="of-the-environment").out)
    assert told["required"]
    assert [(row["name"], row["admin"], row["revocable"]) for row in told["keys"]] == [
        ("me", True, True),
        ("env-1", False, False),
    ]
    refused = keys("revoke env-1", API_KEYS="of-the-environment")
    assert (refused.status, "API_KEYS" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("add", "the key has no name"),
        ("add x --models code-fats", "Did you mean 'code-fast'?"),
        ("add x --models ,", "--models names nothing"),
        ("add x --expires soon", "Write 90d"),
        ("add x --expires 1999-01-01", "is in the past"),
        ("add x --rate 0", "Write requests a minute"),
        ("add local", "this machine's own programs"),
        ("revoke nobody", "no key is called 'nobody'"),
        ("revoke", "the key has no name"),
        ("list x", "a list takes no name"),
        ("revoke x --admin", "--admin is for a new key"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    keys: Callable[..., Outcome], tmp_path: Path, words: str, told: str
) -> None:
    done = keys(words)
    assert done.status == 1
    assert told in done.err
    assert "Traceback" not in done.err
    file = tmp_path / ".llmstack" / "keys.json"
    assert not file.exists() or json.loads(file.read_text()) == {"keys": []}


def test_a_thin_client_makes_no_keys(keys: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / ".llmstack" / "default-channel").write_text("external http://192.0.2.1:10101\n")
    done = keys("add x")
    assert (done.status, "where the stack runs" in done.err) == (1, True)


def test_without_a_project_no_key_is_left_lying_about(command: Callable[..., Outcome]) -> None:
    done = command("keys", "add", "x")
    assert (done.status, done.out) == (1, "")


def test_names_of_others_cannot_move_the_cursor() -> None:
    row: dict[str, Any] = {
        "name": "a",
        "prefix": "",
        "admin": False,
        "models": ["\x1b[2J"],
        "rate": None,
        "expires": 5,
        "expired": True,
        "source": "config.json",
        "requests": 3,
        "last_used": 940,
    }
    (line,) = key_lines([row], 1000)
    assert "\x1b" not in line
    assert "expired 1970-01-01" in line
    assert "3 requests, last 1 min ago" in line
    assert "(config.json)" in line
