"""The page of the Python client: what its public names are and say, from the code."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from typing import Any

import llmstack.client as package
from llmstack.client.chats import Chat
from llmstack.client.images import Images

INTRODUCTION = """# Python client

`from llmstack.client import ...`; examples are in [Python client](../client.md).
`AsyncLlamaSwap` has the methods of `LlamaSwap`, awaited.
"""


def python_page() -> str:
    """All public classes, and those that their methods give."""
    lines = [INTRODUCTION]
    for shown in [*(getattr(package, name) for name in package.__all__), Chat, Images]:
        lines += _class(shown)
    return "\n".join(lines)


def _class(shown: type) -> list[str]:
    lines = [f"## {shown.__name__}\n", f"```python\n{_signature(shown, shown.__name__)}\n```\n"]
    lines += [_text(shown), ""]
    own = {field.name for field in fields(shown)} if is_dataclass(shown) else set()
    rows = []
    for name, member in vars(shown).items():
        if name.startswith("_") or name in own:
            continue
        said = " ".join(_text(member).split())
        if isinstance(member, classmethod):
            member = member.__func__  # noqa: PLW2901
        called = _signature(member, name) if inspect.isfunction(member) else name
        rows.append(f"| `{called.replace('|', chr(92) + '|')}` | {said} |")
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return lines


def _signature(called: Any, name: str) -> str:
    shown = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(called)))
    shown = re.sub(r"\((self|cls)(, )?", "(", shown, count=1)
    shown = re.sub(r"<factory>", "{}", shown)
    begin = "await " if inspect.iscoroutinefunction(called) else ""
    return f"{begin}{name}{shown}".removesuffix(" -> None")


def _text(shown: Any) -> str:
    return inspect.cleandoc(shown.__doc__ or "").replace("``", "`")
