"""The hooks in real shells: entering wires what is allowed, leaving restores what was there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.wiring.trust import allow
from tests.wiring.terminal import ARGV, LLMSTACK, Terminal, environment, every_shell, set_up

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

#: What wiring exports.
VARIABLES = {"OPENCODE_CONFIG", "LLMSTACK_WORK_DIR", "LLMSTACK_ACTIVE", "LLMSTACK_CHANNEL"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory; the allow-list of this process is the one in it."""
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(tmp_path / "home" / "data"))
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Makes projects."""

    def make(name: str, marker: str = "current") -> Path:
        root = tmp_path / name
        (root / ".llmstack").mkdir(parents=True)
        (root / "sub" / "deep").mkdir(parents=True)
        (root / ".llmstack" / "opencode.json").write_text("{}")
        (root / ".llmstack" / "default-channel").write_text(f"{marker}\n")
        return root

    return make


def ours(told: dict[str, str]) -> set[str]:
    """The variables of wiring that are exported, those for its own use included."""
    fixed = {"LLMSTACK_DATA_DIR", "LLMSTACK_HOOK"}
    return {name for name in told if "LLMSTACK" in name or name == "OPENCODE_CONFIG"} - fixed


@every_shell
def test_entering_wires_and_leaving_restores(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """Checklist A 7: the variables, the prefix; and a user's own OPENCODE_CONFIG comes back."""
    root = project("proj")
    allow(root)
    set_up(shell, home)
    environ = environment(home, OPENCODE_CONFIG="/my own/$x.json", LLMSTACK_REMOTE_URL="http://b")
    with Terminal(ARGV[shell], environ, tmp_path) as terminal:
        before = ours(terminal.environ())
        terminal.run(f"cd {root}/sub")
        told = terminal.environ()
        assert told["OPENCODE_CONFIG"] == f"{root}/.llmstack/opencode.json"
        assert told["LLMSTACK_WORK_DIR"] == str(root)
        assert (told["LLMSTACK_ACTIVE"], told["LLMSTACK_CHANNEL"]) == ("1", "current")
        shown = terminal.prompt()
        assert "[llmstack:proj]" in shown
        assert "38;5;38m" in shown
        assert shown.endswith("ready> ")
        terminal.run("cd deep")
        assert terminal.prompt() == shown, "deeper is the same project"
        terminal.run("cd /")
        told = terminal.environ()
        assert ours(told) == before
        assert told["OPENCODE_CONFIG"] == "/my own/$x.json"
        assert told["LLMSTACK_REMOTE_URL"] == "http://b"
        assert terminal.prompt() == "ready> "


@every_shell
def test_projects_follow_each_other(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """From one project into another, into a nested one, and out; each with its channel's colour."""
    first, second = project("first", "next"), project("second", "external http://box:10101")
    nested = project("second/nested")
    for root in (first, second, nested):
        allow(root)
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {first}")
        assert terminal.environ()["LLMSTACK_CHANNEL"] == "next"
        assert "38;5;208m" in terminal.prompt()
        terminal.run(f"cd {second}")
        told = terminal.environ()
        assert told["LLMSTACK_CHANNEL"] == "external"
        assert told["LLMSTACK_REMOTE_URL"] == "http://box:10101"
        shown = terminal.prompt()
        assert "38;5;135m" in shown
        assert "[llmstack:second http://box:10101]" in shown
        assert "first" not in shown
        terminal.run("cd nested")
        told = terminal.environ()
        assert told["LLMSTACK_WORK_DIR"] == str(nested)
        assert "LLMSTACK_REMOTE_URL" not in told
        terminal.run(f"cd {tmp_path}")
        assert ours(terminal.environ()) == set()


@every_shell
def test_what_is_not_allowed_is_said_once_and_wires_nothing(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """W32. An edit by somebody else unwires and asks again; a denied project is not mentioned."""
    root = project("proj")
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        first = terminal.run(f"cd {root}") + terminal.run("cd sub") + terminal.run("cd ..")
        assert first.count("you have not allowed. If you trust it, run: llmstack allow") == 1
        assert ours(terminal.environ()) == set()
        terminal.run(f"{LLMSTACK} allow")
        assert ours(terminal.environ()) >= VARIABLES, "noticed at the next prompt"
        edited = terminal.run("echo '{}' '' > .llmstack/opencode.json")
        edited += terminal.run("true")
        assert edited.count("opencode.json changed since you allowed it") == 1
        assert ours(terminal.environ()) == set()
        assert terminal.prompt() == "ready> "
        terminal.run(f"{LLMSTACK} deny")
        said = terminal.run("cd /") + terminal.run(f"cd {root}") + terminal.run("true")
        assert "[llmstack]" not in said
        assert ours(terminal.environ()) == set()


@every_shell
def test_what_happens_in_the_project_is_noticed(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """The original noticed a change of channel only when the project was left."""
    root = project("proj")
    allow(root)
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        assert terminal.environ()["LLMSTACK_CHANNEL"] == "current"
        marker = root / ".llmstack" / "default-channel"
        fresh = marker.with_name("fresh")
        fresh.write_text("next\n")
        fresh.replace(marker)  # as everything here is written
        allow(root)
        terminal.run("true")
        assert terminal.environ()["LLMSTACK_CHANNEL"] == "next"
        (root / ".llmstack" / "opencode.json").unlink()
        terminal.run("true")
        assert ours(terminal.environ()) == set(), "no project any more"
        (root / ".llmstack" / "opencode.json").write_text("{}")
        terminal.run("true")
        assert ours(terminal.environ()) >= VARIABLES, "a project again"


@every_shell
def test_a_shell_within_a_wired_shell_can_leave_too(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    root = project("proj")
    allow(root)
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home, OPENCODE_CONFIG="/mine"), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        terminal.run(" ".join(ARGV[shell]))
        assert terminal.environ()["OPENCODE_CONFIG"] == f"{root}/.llmstack/opencode.json"
        assert terminal.prompt().count("[llmstack:proj]") == 1
        terminal.run("cd /")
        told = terminal.environ()
        assert told["OPENCODE_CONFIG"] == "/mine"
        assert ours(told) == {"OPENCODE_CONFIG"}


@every_shell
def test_loading_the_hook_again_changes_nothing(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    root = project("proj")
    allow(root)
    set_up(shell, home)
    again = f"{LLMSTACK} activate fish | source"
    line = again if shell == "fish" else f'eval "$({LLMSTACK} activate {shell})"'
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        before = ours(terminal.environ())
        assert "up to date" not in terminal.run(line), "silent in a set-up file"
        assert ours(terminal.environ()) == before
        assert terminal.prompt().count("[llmstack:proj]") == 1
        terminal.run("cd /")
        assert terminal.prompt() == "ready> "


@every_shell
def test_a_prompt_that_changes_meanwhile_is_kept(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """The original put back the prompt of before, losing what the user chose in the project."""
    root = project("proj")
    allow(root)
    set_up(shell, home)
    change = {
        "bash": "PS1='other> '",
        "zsh": "PROMPT='other> '",
        "fish": "function fish_prompt; printf 'other> '; end",
    }
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        terminal.run(change[shell])
        shown = terminal.prompt()
        assert "[llmstack:proj]" in shown
        assert shown.endswith("other> ")
        terminal.run("cd /")
        assert terminal.prompt() == "other> "


@every_shell
def test_no_colour_when_none_is_wanted(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    root = project("proj")
    allow(root)
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home, NO_COLOR="1"), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        assert terminal.prompt() == "[llmstack:proj] ready> "


@every_shell
def test_the_status_of_the_last_command_survives(shell: str, home: Path, tmp_path: Path) -> None:
    set_up(shell, home)
    shown = "$status" if shell == "fish" else "$?"
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        failing = f"sh -c 'exit 7'\n printf 'status=%s\\n' {shown}"
        assert "status=7" in terminal.run(failing)


@pytest.mark.parametrize(
    "before",
    [
        "PROMPT_COMMAND='theirs=$?; '\n",
        "PROMPT_COMMAND='theirs=$? # why'\n",
        "PROMPT_COMMAND=('theirs=$?')\n",
        "set -u; set +o posix\n",
    ],
)
def test_bash_keeps_the_prompt_command_that_is_there(
    before: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """A list, a trailing semicolon, a comment; and with unset variables being errors."""
    root = project("proj")
    allow(root)
    set_up("bash", home, before=before)
    with Terminal(ARGV["bash"], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {root}")
        assert ours(terminal.environ()) >= VARIABLES
        if "theirs" in before:
            assert "theirs=3" in terminal.run("(exit 3)\n printf 'theirs=%s\\n' $theirs")
        shown = terminal.output
        assert b"unbound" not in shown
        assert b"syntax" not in shown


@every_shell
def test_one_line_may_enter_and_use_a_project(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """zsh and fish can be told of a cd; bash can not, and wires before the next prompt."""
    root = project("proj")
    allow(root)
    set_up(shell, home)
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        said = terminal.run(f"cd {root}; printf 'config=%s\\n' \"$OPENCODE_CONFIG\"")
        expected = "" if shell == "bash" else f"{root}/.llmstack/opencode.json"
        assert f"config={expected}\r\n" in said.replace("\x1b[K", "")


@every_shell
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_prompt_costs_less_than_a_millisecond_and_no_process(
    shell: str, home: Path, tmp_path: Path, project: Callable[..., Path]
) -> None:
    """§10.4: the original took 9.4 ms and a process for each directory level."""
    root = project("proj")
    deep = root.joinpath(*"abcdefghi")
    deep.mkdir(parents=True)
    allow(root)
    set_up(shell, home)
    rounds = 500
    loop = {
        "bash": f"for ((i = 0; i < {rounds}; i++)); do _llmstack_hook; done",
        "zsh": f"for ((i = 0; i < {rounds}; i++)); do _llmstack_hook; done",
        "fish": f"for i in (seq {rounds}); _llmstack_hook; end",
    }[shell]
    with Terminal(ARGV[shell], environment(home), tmp_path) as terminal:
        terminal.run(f"cd {deep}")
        assert ours(terminal.environ()) >= VARIABLES
        terminal.run("true")
        before = spent(terminal.pid)
        terminal.run(loop)
        after = spent(terminal.pid)
    took = (after[0] - before[0]) / os.sysconf("SC_CLK_TCK") / rounds
    assert took < 0.001, f"{took * 1000:.3f} ms"
    faults = after[1] - before[1]
    assert faults <= (500 if shell == "fish" else 0), "only seq is a process"


def test_asking_is_quick_enough(home: Path, project: Callable[..., Path]) -> None:
    """What a hook waits for when something changed: 100 ms of CPU, starting Python included."""
    root = project("proj")
    allow(root)
    argv = [*LLMSTACK.split(), "hook", "bash", "--root", str(root), "--shell-pid", str(os.getpid())]
    subprocess.run(argv, env=environment(home), capture_output=True, check=True)
    took = []
    for _ in range(5):
        begun = os.times()
        out = subprocess.run(argv, env=environment(home), capture_output=True, check=True).stdout
        ended = os.times()
        assert b"_llmstack_wire" in out
        took.append(ended.children_user + ended.children_system)
        took[-1] -= begun.children_user + begun.children_system
    assert min(took) < 0.1


def spent(pid: int) -> tuple[int, int]:
    """Clock ticks that the process has used, and page faults of processes that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]), int(fields[8])
