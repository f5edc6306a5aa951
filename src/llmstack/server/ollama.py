"""Discovery as Ollama's clients do it: ``GET /api/tags``.

The shape is that of Ollama's API documentation, "List local models".
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def tags(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The records of ``/v1/models`` as Ollama lists models. Sizes are not known."""
    return {"models": [_tag(record) for record in records]}


def _tag(record: Mapping[str, Any]) -> dict[str, Any]:
    name = str(record["id"])
    return {
        "name": name,
        "model": name,
        "modified_at": datetime.fromtimestamp(record["created"], UTC).isoformat(),
        "size": 0,
        "digest": sha256(name.encode()).hexdigest(),
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "",
            "families": None,
            "parameter_size": "",
            "quantization_level": "",
        },
    }
