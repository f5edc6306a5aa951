"""Code for a shell to evaluate: calls of the hook's functions, and plain exports.

Every value that comes from outside goes through ``quote``; everything else is constant.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmstack.wiring.shell_prompt import prefix
from llmstack.wiring.shell_quote import quote

if TYPE_CHECKING:
    from llmstack.config.marker import Marker
    from llmstack.config.workdir import WorkDir
    from llmstack.wiring.shell_quote import Shell


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a shell is told about the project ``work``.

    ``colour`` and ``unicode`` say what its terminal can and should show.
    """

    work: WorkDir
    marker: Marker
    colour: bool
    unicode: bool = True

    @property
    def name(self) -> str:
        """The project's directory name, as far as the terminal can show it."""
        return self.plain(self.work.root.name or os.fspath(self.work.root))

    def plain(self, text: str) -> str:
        """``text``, without letters that the terminal does not know."""
        return text if self.unicode else text.encode("ascii", "replace").decode("ascii")

    def variables(self) -> dict[str, str]:
        """The variables that a wired shell exports."""
        told = {
            "OPENCODE_CONFIG": os.fspath(self.work.opencode_json),
            "LLMSTACK_WORK_DIR": os.fspath(self.work.root),
            "LLMSTACK_ACTIVE": "1",
            "LLMSTACK_CHANNEL": self.marker.channel,
        }
        return told | ({"LLMSTACK_REMOTE_URL": self.marker.url} if self.marker.url else {})

    def prefix(self, shell: Shell) -> str:
        """The prompt's prefix."""
        return prefix(shell, self.name, self.marker, colour=self.colour)


#: The names of the hooks' functions, by what they do. In PowerShell they are its kind of names.
_POWERSHELL = {"wire": "_LlmstackWire", "note": "_LlmstackNote", "seen": "_LlmstackSeen"}


def call(shell: Shell, function: str, *arguments: str) -> str:
    """A line that calls the hook's ``function``: ``wire``, ``note`` or ``seen``."""
    name = _POWERSHELL[function] if shell == "powershell" else f"_llmstack_{function}"
    return " ".join([name, *(quote(shell, argument) for argument in arguments)])


def wire(shell: Shell, wiring: Wiring) -> str:
    """A line that wires a shell that has the hook."""
    told = wiring.variables()
    return call(
        shell,
        "wire",
        told["LLMSTACK_WORK_DIR"],
        told["OPENCODE_CONFIG"],
        wiring.marker.channel,
        wiring.marker.url,
        wiring.prefix(shell),
    )


def exports(shell: Shell, wiring: Wiring) -> str:
    """Lines that wire a shell without the hook: exports and the prompt; twice does no harm."""
    told = wiring.variables()
    gone = [] if wiring.marker.url else ["LLMSTACK_REMOTE_URL"]
    mark = quote(shell, wiring.prefix(shell))
    match shell:
        case "fish":
            lines = [f"set -gx {name} {quote(shell, value)}" for name, value in told.items()]
            lines += [f"set -e {name}" for name in gone]
            lines += [f"set -g _LLMSTACK_PREFIX {mark}", *_FISH_PROMPT]
        case "powershell":
            lines = [f"$env:{name} = {quote(shell, value)}" for name, value in told.items()]
            lines += [f"$env:{name} = $null" for name in gone]
            lines += [f"$global:_LlmstackPrefix = {mark}", *_POWERSHELL_PROMPT]
        case _:
            lines = [f"export {name}={quote(shell, value)}" for name, value in told.items()]
            lines += [f"unset {name}" for name in gone]
            lines += [
                'PS1=${PS1#"${_LLMSTACK_PREFIX-}"}',
                f"_LLMSTACK_PREFIX={mark}",
                "PS1=$_LLMSTACK_PREFIX$PS1",
            ]
    return "\n".join(lines)


def reload(shell: Shell, wiring: Wiring) -> str:
    """Lines that wire the shell that evaluates them, whether it has the hook or not."""
    hooked, plain = wire(shell, wiring), exports(shell, wiring)
    match shell:
        case "fish":
            return f"if functions -q _llmstack_wire\n{hooked}\nelse\n{plain}\nend\n"
        case "powershell":
            return (
                f"if (Test-Path Function:\\_LlmstackWire) {{\n{hooked}\n}} else {{\n{plain}\n}}\n"
            )
        case _:
            return f"if typeset -f _llmstack_wire >/dev/null; then\n{hooked}\nelse\n{plain}\nfi\n"


_FISH_PROMPT = (
    "if not functions -q _llmstack_prompt",
    "functions -c fish_prompt _llmstack_prompt",
    "function fish_prompt",
    "printf '%s' $_LLMSTACK_PREFIX",
    "_llmstack_prompt $argv",
    "end",
    "end",
)
_POWERSHELL_PROMPT = (
    "if (-not (Test-Path Variable:global:_LlmstackPrompt)) {",
    "$global:_LlmstackPrompt = $function:prompt",
    "function global:prompt {",
    "if ($global:_LlmstackPrefix) { Write-Host -NoNewline $global:_LlmstackPrefix }",
    "& $global:_LlmstackPrompt",
    "}",
    "}",
)
