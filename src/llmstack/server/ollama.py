"""What models are, as Ollama's discovery routes tell it: ``tags``, ``ps`` and ``show``.

Shapes are those of Ollama's API reference. Sizes of files, families and quantizations are not
known here and are left empty, as Ollama does for models of other servers.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from llmstack import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.engine import ModelStatus

#: The release of Ollama whose API this is. Clients refuse to talk to one that seems too old.
OLLAMA_API = "0.13.0"

#: How ``/api/version`` answers both kinds of client: Ollama's read the numbers before the plus and
#: compare them, llama-swap's show the text (what follows a plus is build metadata in a semantic
#: version).
VERSION = f"{OLLAMA_API}+llmstack.{__version__}"

#: When a model expires that nothing stops: what Ollama says for "never", 292 years ahead.
_NEVER = timedelta(days=106_751)


def tags(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The records of ``/v1/models`` as Ollama lists models."""
    return {
        "models": [
            {
                **_identity(str(record["id"])),
                "modified_at": _time(record["created"]),
                "size": 0,
                "details": _details(),
            }
            for record in records
        ]
    }


def running(
    statuses: Iterable[ModelStatus], models: Mapping[str, SwapModel], moment: datetime
) -> dict[str, Any]:
    """The loaded models. ``size`` is the main memory that their processes take."""
    rows = []
    for status in statuses:
        model = models[status.id]
        left = status.ttl_left if status.ttl_left is not None else model.ttl
        expires = moment + (timedelta(seconds=left) if model.ttl else _NEVER)
        row = {
            **_identity(status.id),
            "size": status.memory or 0,
            "size_vram": 0,
            "details": _details(),
            "expires_at": expires.isoformat().replace("+00:00", "Z"),
        }
        if context := _context(model):
            row["context_length"] = context
        rows.append(row)
    return {"models": rows}


def show(record: Mapping[str, Any], model: SwapModel | None) -> dict[str, Any]:
    """What is known of a model. ``model`` is None for one that does not run here.

    Without configured ``capabilities`` text and tools are told: a client that is not told of tools
    never tries them, and llama-server offers them for every template.
    """
    name = str(record["id"])
    info: dict[str, Any] = {
        "general.architecture": "llmstack",  # clients look for its name before ".context_length"
        "general.basename": str(record.get("name") or name),
        "general.description": str(record.get("description") or ""),
    }
    context = _context(model) if model else record.get("context_length")
    if context:
        info["llmstack.context_length"] = context
    return {
        "modelfile": f"# Served by llmstack\nFROM {name}\n",
        "parameters": "",
        "template": "",
        "details": _details(),
        "model_info": info,
        "capabilities": _abilities(model) if model else _told(record),
        "modified_at": _time(record["created"]),
    }


def _told(record: Mapping[str, Any]) -> list[str]:
    """What a record says of a model of others: only an Ollama tells what a model cannot do."""
    about = record.get("meta", {}).get("llamaswap", {})
    if about.get("type") != "found" or about.get("backend") != "ollama":
        return ["completion", "tools"]
    if about.get("embedding"):
        return ["embedding"]
    able = record.get("capabilities", {})
    kept = {"vision": "vision", "tools": "function_calling"}
    return ["completion", *(word for word, name in kept.items() if able.get(name))]


def _abilities(model: SwapModel) -> list[str]:
    about = model.capabilities
    if about is None or about == type(about)():
        return ["completion", "tools"]
    able = []
    if not about.reranker and (not about.outputs or "text" in about.outputs):
        able.append("completion")
    if "image" in about.inputs:
        able.append("vision")
    if about.tools:
        able.append("tools")
    return able


def _context(model: SwapModel) -> int:
    """The configured context in tokens; a stack notes that of its tiers in their metadata."""
    if model.capabilities and model.capabilities.context > 0:
        return model.capabilities.context
    noted = model.metadata.get("ctx_size")
    return noted if isinstance(noted, int) and not isinstance(noted, bool) and noted > 0 else 0


def _identity(name: str) -> dict[str, Any]:
    return {"name": name, "model": name, "digest": sha256(name.encode()).hexdigest()}


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "",
        "families": None,
        "parameter_size": "",
        "quantization_level": "",
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
