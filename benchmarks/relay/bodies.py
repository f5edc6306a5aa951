"""Chat request bodies of a given size, the same on every run and every machine."""

import json
from typing import Any

SYSTEM = (
    "You are a coding agent. Read the code before you change it, keep edits small, "
    "run the tests, and say what you did in one paragraph."
)
WORDS_TEXT = (
    "parse stream token buffer model route answer server client timeout retry socket header "
    "chunk body context window prompt cache queue process signal state lock value field index "
    "naïve café “quoted” größer → λ 漢字 if else return await async def class import from None"
)
WORDS = WORDS_TEXT.split()
TOOLS = ("read_file", "write_file", "list_files", "search", "run_command", "fetch", "edit", "plan")


class _Dice:
    """A linear congruential generator: the same numbers in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        """Return a number from 0 to `limit` - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 33) % limit

    def word(self) -> str:
        """Return one of the words."""
        return WORDS[self.below(len(WORDS))]


def _tool(name: str) -> dict[str, Any]:
    properties = {
        "path": {"type": "string", "description": f"The file or folder that {name} works on."},
        "options": {"type": "array", "items": {"type": "string"}},
        "limit": {"type": "integer", "minimum": 1, "maximum": 2000},
    }
    parameters = {"type": "object", "properties": properties, "required": ["path"]}
    description = f"{name}: part of the agent's tools; its result is returned as text."
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def _prose(dice: _Dice, length: int) -> str:
    """Return text of about `length` characters that looks like code and prose in JSON."""
    lines: list[str] = []
    total = 0
    while total < length:
        indent = "    " * dice.below(4)
        line = indent + " ".join(dice.word() for _ in range(4 + dice.below(11)))
        if dice.below(5) == 0:
            line += f'  # "{dice.word()}"\t{dice.below(10_000)}'
        lines.append(line)
        total += len(line) + 1
    return "\n".join(lines)


def _encode(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def chat_body(size: int, *, stream: bool) -> bytes:
    """Return an OpenAI chat request of exactly `size` bytes for the model "auto".

    Bodies above 10 KB carry tools and a longer conversation, as an agent's do. The last
    message is a short question of the user, so that routing reads the same in each size.
    """
    dice = _Dice(size)
    turns = 1 if size <= 10_000 else 12
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]
    body: dict[str, Any] = {"model": "auto", "messages": messages, "stream": stream}
    if size > 10_000:
        body["tools"] = [_tool(name) for name in TOOLS]
        body["max_tokens"] = 4096
    for _ in range(turns):
        share = (size - len(_encode(body))) // (4 * turns)
        messages.append({"role": "user", "content": _prose(dice, share)})
        messages.append({"role": "assistant", "content": _prose(dice, share)})
    filler = {"role": "user", "content": ""}
    messages.append(filler)
    messages.append({"role": "user", "content": "Why does the second read return nothing?"})
    text = _prose(dice, size)
    room = size - len(_encode(body))
    # Cut to the room by encoded length; what is missing to the byte is filled with spaces.
    while (used := len(json.dumps(text, ensure_ascii=False).encode()) - 2) > room:
        text = text[: min(len(text) - 1, len(text) * room // used)]
    filler["content"] = text + " " * (room - used)
    encoded = _encode(body)
    if len(encoded) != size:
        raise ValueError(f"a chat body cannot be made of {size} bytes, the least is {len(encoded)}")
    return encoded
