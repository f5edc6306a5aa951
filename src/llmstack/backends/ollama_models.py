"""What Ollama's ``/api/tags``, ``/api/show`` and ``/api/ps`` tell of its models. Pure.

Nothing in these answers is taken for granted: what has another shape than Ollama's says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llmstack.backends.protocol import Offered

if TYPE_CHECKING:
    from collections.abc import Mapping

#: No model has a longer window; larger numbers are mistakes.
LONGEST: Final = 1 << 31

#: Models that are read of a list; each of them is a question.
MOST: Final = 2000

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of ``/api/tags``. ``remote`` models are run by ollama.com for the Ollama here."""

    name: str
    digest: str = ""
    remote: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of ``/api/show``. ``num_ctx`` is the Modelfile's window, 0 for none."""

    trained: int = 0
    num_ctx: int = 0
    vision: bool = False
    tools: bool = False
    embedding: bool = False
    remote: bool = False


def read_version(told: Any) -> tuple[str, Version | None]:
    """The text of ``/api/version`` and its numbers; ``("", None)`` if it is not Ollama's.

    Others speak parts of its API. This program says so behind a plus (``server.ollama.VERSION``);
    llama-swap's version has no dots, and its answer tells the commit too.
    """
    row = told if isinstance(told, dict) else {}
    text = row.get("version")
    if not isinstance(text, str) or "llmstack" in text or {"commit", "build_date"} & row.keys():
        return "", None
    found = re.match(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?", text)
    if not found:
        return "", None
    return text[:64], (int(found[1]), int(found[2]), int(found[3] or 0))


def read_tags(told: Any) -> tuple[Listed, ...]:
    """The models, each name once."""
    found: dict[str, Listed] = {}
    for row in _rows(told):
        name = row.get("name") or row.get("model")
        if isinstance(name, str) and name:
            remote = bool(row.get("remote_host") or row.get("remote_model"))
            found.setdefault(name, Listed(name, _text(row.get("digest")), remote, _about(row)))
    return tuple(found.values())


def read_ps(told: Any) -> dict[str, int]:
    """The window of every loaded model, 0 where it is not told (before Ollama 0.11)."""
    found = {}
    for row in _rows(told):
        name = row.get("name") or row.get("model")
        if isinstance(name, str) and name:
            found[name] = _count(row.get("context_length"))
    return found


def read_show(told: Any) -> Shown:
    """One model. Before Ollama 0.6.4 nothing is told of abilities; families tell some."""
    row = told if isinstance(told, dict) else {}
    info = row.get("model_info")
    info = info if isinstance(info, dict) else {}
    able = row.get("capabilities")
    if isinstance(able, list):
        vision, tools, embedding = (word in able for word in ("vision", "tools", "embedding"))
    else:
        family = _text(_part(row, "details").get("family"))
        vision, tools, embedding = bool(_part(row, "projector_info")), False, "bert" in family
    return Shown(
        trained=_trained(info),
        num_ctx=_num_ctx(row.get("parameters")),
        vision=vision,
        tools=tools,
        embedding=embedding,
        remote=bool(row.get("remote_host") or row.get("remote_model")),
    )


def default_window(version: Version | None, environ: Mapping[str, str]) -> int:
    """The window of a model whose Modelfile does not say, in tokens.

    ``OLLAMA_CONTEXT_LENGTH`` is the server's, and ours is asked for it in case they are one
    environment; 0 leaves it to Ollama. From 0.15.5 on it has 4096 tokens with less than 24 GiB of
    video memory, 32768 with less than 48 GiB, else 262144. Which one is not told before a model is
    loaded (then ``/api/ps`` does), and the least of them is safe: what does not fit Ollama cuts off
    without a word. Before 0.6.7 the default was 2048.
    """
    own = environ.get("OLLAMA_CONTEXT_LENGTH", "").strip().strip("\"'")
    if re.fullmatch(r"[0-9]{1,10}", own) and 0 < int(own) < LONGEST:
        return int(own)
    # 0.0.0 is a build from source, which is newer than any release.
    return 2048 if version and (0, 0, 0) < version < (0, 6, 7) else 4096


def offered(
    listed: Listed, shown: Shown | None, loaded: Mapping[str, int] | None, default: int
) -> Offered:
    """A model as it is offered: with the window that it has, or would have once it is loaded.

    In Ollama's own order: that of the loaded instance, the Modelfile's, the server's; none is
    longer than what the model was trained for. Remote models have all of that.
    """
    told = shown or Shown()
    window = (loaded or {}).get(listed.name, 0)
    if not window:
        if listed.remote or told.remote:
            window = told.trained
        else:
            window = told.num_ctx or default
            window = min(window, told.trained) if told.trained else window
    return Offered(
        listed.name,
        context=window,
        trained=told.trained,
        loaded=None if loaded is None else listed.name in loaded,
        vision=told.vision,
        tools=told.tools,
        embedding=told.embedding,
        description=listed.description,
    )


def _trained(info: Mapping[Any, Any]) -> int:
    """The model's own window: of its architecture, for others' (a projector's) are told beside."""
    kind = info.get("general.architecture")
    if isinstance(kind, str):
        return _count(info.get(f"{kind}.context_length"))
    found = [_count(value) for key, value in info.items() if str(key).endswith(".context_length")]
    return found[0] if len(found) == 1 else 0


def _num_ctx(parameters: Any) -> int:
    """``num_ctx`` of the Modelfile's parameters, a line each; the last one counts."""
    window = 0
    for line in _text(parameters).splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "num_ctx" and re.fullmatch(r"[0-9]{1,10}", words[1]):
            window = _count(int(words[1]))
    return window


def _about(row: Mapping[str, Any]) -> str:
    """``qwen3 8.2B Q4_K_M``, as far as it is told."""
    details = _part(row, "details")
    words = (_text(details.get(key)) for key in ("family", "parameter_size", "quantization_level"))
    return " ".join(word for word in words if word and word.isprintable())[:200]


def _rows(told: Any) -> list[dict[str, Any]]:
    rows = told.get("models") if isinstance(told, dict) else None
    return [row for row in rows[:MOST] if isinstance(row, dict)] if isinstance(rows, list) else []


def _part(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = row.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < LONGEST
    return value if good else 0
