"""The table of commands: the source of dispatch, of ``help`` and of the reference page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A command: the module below ``llmstack.cli`` that runs it, and what it does."""

    module: str
    summary: str
    group: str


COMMANDS = {
    "demo": Command("demo", "See the whole stack work on a real small model.", "Begin"),
    "setup": Command("setup", "Begin a project, fetch its models, look for agents.", "Begin"),
    "install": Command("install", "Begin a project here and wire opencode to it.", "Begin"),
    "init": Command("init", "Write a project's first files, choose its channel.", "Begin"),
    "configure": Command("configure", "Render opencode.json and llama-swap.yaml.", "Begin"),
    "download": Command("download", "Fetch the models that models.ini names.", "Begin"),
    "install-llama-swap": Command(
        "install_llama_swap", "Fetch llama-swap, for engine = llama-swap.", "Begin"
    ),
    "check": Command("check", "Compare models.ini with the hub and what is here.", "Begin"),
    "fit": Command("fit", "Show whether the stack fits into this machine's memory.", "Begin"),
    "config": Command("config", "Validate, show or migrate models.ini.", "Begin"),
    "connect": Command("connect", "Point a coding agent at this project's stack.", "Begin"),
    "doctor": Command("doctor", "Check this machine, the configuration and the daemon.", "Begin"),
    "start": Command("start", "Start the daemon; returns once a request would succeed.", "Run"),
    "stop": Command("stop", "Stop the daemon; running answers may end first.", "Run"),
    "restart": Command("restart", "Stop, then start with the present models.ini.", "Run"),
    "status": Command("status", "Show the daemon and its models; exits 1 when it is down.", "Run"),
    "top": Command("top", "Show models, memory, requests and cost, live.", "Run"),
    "serve": Command("serve", "Run the daemon in the foreground.", "Run"),
    "autostart": Command("autostart", "Start this project's stack at login, or no more.", "Run"),
    "swap": Command(
        "swap", "Run the engine alone, in llama-swap's place, on its config.yaml.", "Run"
    ),
    "keys": Command("keys", "Make, list and revoke the keys of clients.", "Run"),
    "logs": Command("logs", "Show the log of the gateway or of a model.", "Run"),
    "activate": Command("activate", "Wire this shell to the projects you enter.", "Shell"),
    "allow": Command("allow", "Let this project wire your shells; an edit asks again.", "Shell"),
    "deny": Command("deny", "Never wire a shell for this project.", "Shell"),
    "reload": Command("reload", "Print code that wires this shell to the project now.", "Shell"),
    "completion": Command("completion", "Print a shell's completion of this command.", "Shell"),
    "hook": Command("hook", "What the shell hooks call when a project changes.", "Shell"),
    "models": Command("models", "List the models that can be asked for.", "Use"),
    "run": Command("run", "Ask one question and stream the answer.", "Use"),
    "route": Command("route", "Show which tier 'auto' would choose, and why.", "Use"),
    "eval": Command("eval", "Measure how well 'auto' chooses.", "Use"),
    "version": Command("version", "Print the version.", "Use"),
    "help": Command("version", "Print this overview, or 'llmstack help COMMAND'.", "Use"),
}

#: Other spellings, from earlier versions and from habit.
ALIASES = {
    "-V": "version",
    "--version": "version",
    "download-models": "download",
    "check-models": "check",
}


def overview() -> str:
    """The text of ``llmstack help``."""
    lines = [
        "llmstack: the local LLM stack for people who work with coding agents",
        "",
        "usage: llmstack COMMAND [options]",
    ]
    group = ""
    width = max(map(len, COMMANDS)) + 2
    for name, command in COMMANDS.items():
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"]
        lines.append(f"  {name:<{width}}{command.summary}")
    lines += [
        "",
        "Files: .llmstack/models.ini (yours), .llmstack/llama-swap.yaml (generated).",
        "Gateway: http://127.0.0.1:10101/v1   Engine: http://127.0.0.1:10102",
    ]
    return "\n".join(lines)
