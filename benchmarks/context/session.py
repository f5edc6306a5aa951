"""A growing agent session with facts planted in it, the same for the same seed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

PATH = "/v1/chat/completions"
Kind = Literal["task", "user", "answer", "result", "log"]
KINDS: tuple[Kind, ...] = ("task", "user", "answer", "result", "log")

_VERBS = ("parse", "load", "merge", "render", "check", "close", "route", "count")
_NOUNS = ("config", "token", "window", "header", "record", "session", "budget", "model")
_TOOLS = ("read", "bash", "grep", "edit")
_WISHES = (
    "Now make {} ignore empty lines, and keep the old behaviour behind a flag.",
    "The test of {} fails on the build machine; find out why and mend it.",
    "Write down what {} promises, then add the missing test.",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A word that a session knows from the message ``item`` on."""

    word: str
    kind: Kind
    item: int


@dataclass(slots=True)
class Session:
    """``requests`` are the numbers of messages that each request has, in order."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def body(self, length: int, **more: Any) -> bytes:
        """The request with the first ``length`` messages."""
        body = {"model": "auto", "messages": self.messages[:length], "tools": _tools(), **more}
        return json.dumps(body).encode()


def session(seed: int, turns: int, rounds: int, lines: int) -> Session:
    """Make ``turns`` of a user with about ``rounds`` tool calls each.

    One result in six repeats an earlier one; one is a log of ``lines``, many of them equal. Facts
    are in the task, in users' turns, answers, one result in two, and near the end of the log.
    """
    rng = Random(seed)  # noqa: S311  the same session every time, no secrets
    made = Session()
    system = "You are a coding agent. " + "Be brief, read before you write. " * 8
    made.messages.append({"role": "system", "content": system})
    seen: list[str] = []
    giant = turns // 2
    for turn in range(turns):
        wish = rng.choice(_WISHES).format(_name(rng))
        kind: Kind = "user" if turn else "task"
        _say(made, "user", f"{wish} The ticket is {_fact(made, rng, kind)}.")
        for round_ in range(rng.randint(max(1, rounds - 2), rounds + 2)):
            made.requests.append(len(made.messages))
            if turn == giant and round_ == 0:
                text = _log(made, rng, lines)
            elif seen and rng.random() < 1 / 6:
                text = rng.choice(seen)
            else:
                text = _code(made, rng)
                seen.append(text)
            _round(made, rng, text)
        made.requests.append(len(made.messages))
        _say(made, "assistant", f"{_prose(rng)} The branch is {_fact(made, rng, 'answer')}.")
    return made


def _say(made: Session, role: str, text: str) -> None:
    made.messages.append({"role": role, "content": text})


def _round(made: Session, rng: Random, text: str) -> None:
    number = len(made.messages)
    call = {
        "name": rng.choice(_TOOLS),
        "arguments": json.dumps({"path": f"src/{_name(rng)}.py", "why": _name(rng)}),
    }
    calls = [{"id": f"call_{number}", "type": "function", "function": call}]
    made.messages.append({"role": "assistant", "content": "", "tool_calls": calls})
    made.messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": text})


def _fact(made: Session, rng: Random, kind: Kind, ahead: int = 0) -> str:
    word = f"FACT-{rng.getrandbits(48):012x}"
    made.facts.append(Fact(word, kind, len(made.messages) + (ahead if kind == "result" else 0)))
    return word


def _name(rng: Random) -> str:
    return f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}_{rng.randrange(100)}"


def _code(made: Session, rng: Random) -> str:
    lines: list[str] = []
    for _ in range(rng.randint(4, 24)):
        lines += (
            f"def {_name(rng)}(self, {rng.choice(_NOUNS)}: int) -> str:",
            f"    if {rng.choice(_NOUNS)} > {rng.randrange(999)}:",
            f"        return self.{_name(rng)}({rng.randrange(99)})",
            "",
        )
    if rng.random() < 0.5:
        lines.insert(len(lines) // 2, f"    # {_fact(made, rng, 'result', 1)}")
    return "\n".join(lines)


def _log(made: Session, rng: Random, length: int) -> str:
    lines: list[str] = []
    while len(lines) < length:
        line = f"test_{_name(rng)} PASSED [{rng.randrange(100)}%]"
        lines += [line] * rng.choice((1, 1, 2, 12))
    made.facts.append(Fact(f"FACT-{rng.getrandbits(48):012x}", "log", len(made.messages) + 1))
    lines.append(f"test_{_name(rng)} FAILED: {made.facts[-1].word}")
    lines += [f"{rng.randrange(9)} warnings in {_name(rng)}" for _ in range(3)]
    return "\n".join(lines)


def _prose(rng: Random) -> str:
    return " ".join(f"I changed {_name(rng)} so that {_name(rng)} holds." for _ in range(12))


def _tools() -> list[dict[str, Any]]:
    schema = {
        "type": "object",
        "properties": {"path": {"type": "string"}, "why": {"type": "string"}},
        "required": ["path"],
    }
    return [
        {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}
        for name in _TOOLS
    ]
