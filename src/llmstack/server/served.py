"""The context windows that running models really have."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from llmstack.client.http import get_json
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds for one model's answer; a model that is reading a long prompt may be slow.
LIMIT = 2.0

#: Models that are asked; another machine may name any number.
MOST = 100


def served_windows(engine: str, key: str = "") -> Iterator[tuple[str, int]]:
    """Model and window in tokens of one slot, for every model that is ready.

    Nothing is loaded for it. A model that does not tell is left out, and so are all when the
    engine does not answer. Source: llama-server's ``GET /props``.
    """
    try:
        running = list(get_json(engine, "/running", key=key)["running"])
    except (DaemonError, KeyError, TypeError):
        return
    for row in running[:MOST]:
        try:
            if row["state"] != "ready":
                continue
            name = str(row["model"])
            properties = get_json(engine, f"/upstream/{quote(name)}/props", LIMIT, key=key)
            window = properties["default_generation_settings"]["n_ctx"]
        except (DaemonError, KeyError, TypeError):
            continue
        if isinstance(window, int) and window > 0:
            yield name, window
