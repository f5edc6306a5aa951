"""W31, W32: a project's name, markers and configuration execute and wire nothing, in real shells.

Each name is entered twice in an interactive shell on a terminal, before and after it is allowed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from llmstack.wiring.trust import allow
from tests.wiring.terminal import ARGV, LLMSTACK, Terminal, environment, every_shell, set_up

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

#: Directory names. Whatever runs a command in one leaves a file named pwned.
NAMES = [
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned;b",
    "a\ntouch pwned\n",
    "a'$(touch pwned)'b",
    'a"$(touch pwned)"b',
    "a\\'$(touch pwned)",
    "' ; touch pwned ; '",
    "\\$(touch pwned)",
    "\\\\`touch pwned`",
    "${x:=$(touch pwned)}",
    "$((x[$(touch pwned)]))",
    "$[x[$(touch pwned)]]",
    "%(?.$(touch pwned).)",
    "%{$(touch pwned)%}%F{red}%n%!%1v",
    "(touch pwned)",
    "=(touch pwned)<(touch pwned)",
    "{$(touch pwned),b}",
    "!!touch pwned!#",
    "-e -n --root=x",
    "\\e]0;owned\\a\\[\\u\\]",
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "\r\b\x7f\tx",
    "a\u202eb\u2066c\u200b",
    "\u2018$(touch pwned)\u2019",
    "caf\u00e9 \u4e16\u754c",
    "\udcff\udc80$(touch pwned)",
    "~root * [a-z] ? # & | > pwned",
]

#: Sent to a terminal, these would change its title, colours or the direction of text.
FORBIDDEN = ["\x1b]0;owned", "\x1b[2J", "\x9b31m", "\udc9b31m", "\u202e", "\u2066", "\u200b"]

HOSTILE_MARKERS = [
    "external http://$(touch pwned)/",
    "external http://box/`touch pwned`",
    "external http://box/';touch pwned;'",
    "external http://box/%{$(touch pwned)%}",
    "external http://box/\x1b]0;owned\x07",
    "next\ntouch pwned",
    "$(touch pwned)",
    "current; touch pwned",
]


def make(root: Path, marker: str = "current\n") -> Path:
    """A hostile project at ``root``."""
    state = root / ".llmstack"
    state.mkdir(parents=True)
    (state / "opencode.json").write_text('{"$(touch pwned)": "`touch pwned`"}')
    (state / "default-channel").write_text(marker)
    (state / "active-channel").write_text(marker)
    # What Python would import or a PATH with a dot would run from the current directory.
    for name in ("llmstack.py", "json.py", "sitecustomize.py"):
        (root / name).write_text("open('pwned', 'w')\n")
    (root / "python").write_text("#!/bin/sh\ntouch pwned\n")
    (root / "python").chmod(0o755)
    return root


def nothing_ran(place: Path) -> bool:
    """Whether no command of a name or a marker has left its trace below ``place``."""
    return not any("pwned" in names for _, _, names in os.walk(place))


@every_shell
def test_no_directory_name_executes_or_wires(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W31: a directory named $(...) ran its command; W32: entering wired it unasked."""
    home, place = tmp_path / "home", tmp_path / "place"
    set_up(shell, home)
    roots = [make(place / str(number) / name) for number, name in enumerate(NAMES)]
    targets = {f"T{number}": os.fspath(root) for number, root in enumerate(roots)}
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(home / "data"))
    with Terminal(ARGV[shell], environment(home, **targets), place) as terminal:
        for name, root in targets.items():
            terminal.run(f'cd "${name}"')
            told = terminal.environ()
            assert told["PWD"] == root, "the shell is where it was sent"
            assert "OPENCODE_CONFIG" not in told, name
            assert "LLMSTACK_ACTIVE" not in told
        for place_of_one in roots:
            allow(place_of_one)
        for name, root in targets.items():
            terminal.run(f'cd "${name}"')
            told = terminal.environ()
            assert told["OPENCODE_CONFIG"] == f"{root}/.llmstack/opencode.json"
            assert told["LLMSTACK_WORK_DIR"] == root
        terminal.run("cd /")
        assert "OPENCODE_CONFIG" not in terminal.environ()
        assert terminal.prompt() == "ready> "
        shown = terminal.output.decode(errors="surrogateescape")
    assert nothing_ran(tmp_path)
    assert [text for text in FORBIDDEN if text in shown] == []
    assert shown.count("you have not allowed") == len(NAMES)
    assert shown.count("[llmstack:") >= len(NAMES), "in prompts"


@every_shell
def test_no_marker_executes_or_is_believed(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W31: a marker whose URL was $(...) ran on entering; also not when the user allowed it."""
    home, place = tmp_path / "home", tmp_path / "place"
    set_up(shell, home)
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(home / "data"))
    roots = [make(place / f"p{n}", marker) for n, marker in enumerate(HOSTILE_MARKERS)]
    for root in roots:
        allow(root)
    environ = environment(home)
    environ["PATH"] = f".:{environ['PATH']}"
    with Terminal(ARGV[shell], environ, place) as terminal:
        for root in roots:
            terminal.run(f"cd {root}")
            told = terminal.environ()
            assert told["LLMSTACK_CHANNEL"] == "current"
            assert "LLMSTACK_REMOTE_URL" not in told
            assert f"[llmstack:{root.name}]" in terminal.run("true")
        assert "\x1b]0;owned" not in terminal.output.decode(errors="surrogateescape")
    assert nothing_ran(tmp_path)


@every_shell
def test_reload_prints_nothing_that_executes(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W31: reload printed the directory's name in double quotes for eval."""
    home, place = tmp_path / "home", tmp_path / "place"
    set_up(shell, home)
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(home / "data"))
    roots = [make(place / str(number) / name) for number, name in enumerate(NAMES[:8])]
    targets = {f"T{number}": os.fspath(root) for number, root in enumerate(roots)}
    plain = {"bash": ["bash", "--norc", "-i"], "zsh": ["zsh", "-f", "-i"]}
    argv = plain.get(shell, ["fish", "--no-config", "-i"])
    again = {"fish": f"{LLMSTACK} reload fish | source"}
    line = again.get(shell, f'eval "$({LLMSTACK} reload {shell})"')
    with Terminal(argv, environment(home, **targets), place) as terminal:
        for root, name in zip(roots, targets, strict=True):
            unset = "set -e" if shell == "fish" else "unset"
            terminal.run(f'cd "${name}"; {unset} LLMSTACK_WORK_DIR')
            terminal.run(line)
            assert terminal.environ().get("OPENCODE_CONFIG") != f"{root}/.llmstack/opencode.json"
            allow(root)
            terminal.run(line)
            assert terminal.environ()["OPENCODE_CONFIG"] == f"{root}/.llmstack/opencode.json"
            assert terminal.prompt().count("[llmstack:") == 1
    assert nothing_ran(tmp_path)
