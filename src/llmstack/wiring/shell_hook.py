"""The hooks: one file per shell in the user's home directory, sourced by the shell's own set-up."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

from llmstack.config.workdir import write_atomically
from llmstack.wiring.shell_quote import SHELLS, Shell, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Other names by which shells are known.
_SPELLINGS: dict[str, Shell] = {"pwsh": "powershell"}

_TEMPLATES: dict[Shell, str] = {
    "bash": "hook.bash",
    "zsh": "hook.zsh",
    "fish": "hook.fish",
    "powershell": "hook.ps1",
}


def own_command() -> list[str]:
    """How a shell calls this installation, wherever its PATH leads and whatever it is in.

    ``-P`` keeps Python from importing what lies in the current directory.
    """
    return [sys.executable, "-P", "-m", "llmstack"]


def shell_named(name: str) -> Shell | None:
    """The shell of that name or path, in any case; None for one without a hook."""
    word = name.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe").lstrip("-")
    word = _SPELLINGS.get(word, word)
    return next((shell for shell in SHELLS if shell == word), None)


def detect_shell(environ: Mapping[str, str]) -> tuple[str, str]:
    """The shell that the environment names, and the variable that named it; both may be empty."""
    for variable in ("LLMSTACK_SHELL", "SHELL"):
        if name := environ.get(variable):
            return name, variable
    # Windows sets it for every program; PowerShell adds the user's own modules to it.
    if environ.get("PSModulePath", "").count(";") >= 2:
        return "powershell", "PSModulePath"
    return environ.get("COMSPEC", ""), "COMSPEC" if environ.get("COMSPEC") else ""


def hook_path(shell: Shell, home: Path) -> Path:
    """The hook's file."""
    suffix = ".ps1" if shell == "powershell" else ""
    return home / f".{shell}_llmstack_hook{suffix}"


def hook_text(shell: Shell, command: Sequence[str]) -> str:
    """The hook, which calls ``command`` when something has changed."""
    template = files("llmstack.wiring") / "hooks" / _TEMPLATES[shell]
    words = (", " if shell == "powershell" else " ").join(quote(shell, word) for word in command)
    return template.read_text(encoding="utf-8").replace("@COMMAND@", words)


def install_hook(shell: Shell, home: Path, command: Sequence[str]) -> tuple[Path, bool]:
    """Write the hook; its path, and whether it is new or differs from what was there.

    Raises:
        OSError: it cannot be written.
    """
    path, text = hook_path(shell, home), hook_text(shell, command)
    try:
        if path.read_text(encoding="utf-8") == text:
            return path, False
    except (OSError, ValueError):
        pass
    write_atomically(path, text)
    return path, True


def source_line(shell: Shell, path: Path) -> str:
    """The one line that a shell's set-up evaluates."""
    word = quote(shell, os.fspath(path))
    return f". {word}" if shell == "powershell" else f"source {word}"


def advice(shell: Shell) -> str:
    """The line that the user adds to the shell's set-up, and where."""
    match shell:
        case "fish":
            return "~/.config/fish/config.fish:  llmstack activate fish | source"
        case "powershell":
            return "$PROFILE:  Invoke-Expression (& llmstack activate powershell)"
        case _:
            return f'~/.{shell}rc:  eval "$(llmstack activate {shell})"'
