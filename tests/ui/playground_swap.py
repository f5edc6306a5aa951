"""An engine with models that do more than chat."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli.swaps import free_run, swapping
from tests.ui import playground_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.swaps import Swap

#: Its name is hostile too.
PLAYER = "player/<b>&\"'"

#: Takes no images.
BLIND = "blind"


@contextmanager
def playing(root: Path, model: Path) -> Iterator[Swap]:
    """``vectors`` is the real ``model`` and embeds; ``PLAYER`` answers as it is told, and sees,
    ``BLIND`` does not; ``artist`` draws and ``judge`` reranks. All may be loaded at once."""
    argv = [sys.executable, "-P", "-m", "llmstack.llama_server", "-m", str(model)]
    flags = ["--embeddings", "--pooling", "mean", "-c", "512", "-np", "1", "-t", "1"]
    vectors = f"{shlex.join([*argv, *flags])} --port ${{PORT}}"
    player = playground_model.command()
    sees = {"in": ["text", "image"], "out": ["text"]}
    models = {
        "vectors": {"cmd": vectors, "metadata": {"embedding": True}},
        PLAYER: {"cmd": player, "capabilities": sees},
        BLIND: {"cmd": player, "capabilities": {"in": ["text"], "out": ["text"]}},
        "artist": {"cmd": player, "capabilities": {"in": ["text"], "out": ["image"]}},
        "judge": {"cmd": player, "capabilities": {"reranker": True}},
    }
    all_at_once = {"swap": False, "exclusive": False, "members": list(models)}
    configuration = {"startPort": free_run(), "models": models, "groups": {"all": all_at_once}}
    with swapping(root, json.dumps(configuration)) as swap:
        yield swap
