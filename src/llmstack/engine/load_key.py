"""What makes two loads the same: a change of any of it makes what was measured worthless."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llmstack.config.swap import SwapModel

#: Variables of the engine's own environment that decide over memory, by how they begin.
_VARIABLES = ("LLAMA_ARG_", "GGML_", "CUDA_", "HIP_", "ROCR_", "GPU_")


def load_key(
    model: SwapModel,
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    kind: str,
    parts: Iterable[Path] = (),
) -> str:
    """A digest of command, environment, the files it names, ``parts``, and the memory's ``kind``.

    The port is left out of it: another model in the configuration moves it. Files count by size
    and time of change.
    """
    port = urlsplit(model.proxy).port
    named = re.compile(rf"(?<!\d){port}(?!\d)") if port else None
    own = [f"{name}={value}" for name, value in environ.items() if name.startswith(_VARIABLES)]
    program = shutil.which(argv[0], path=environ.get("PATH")) if argv else None
    files = [Path(word.partition("=")[2] or word) for word in argv[1:]]
    if program:
        files.append(Path(program))
    value = [
        kind,
        [named.sub("${PORT}", word) if named else word for word in argv],
        sorted(model.env),
        sorted(own),
        [_state(path) for path in [*files, *parts]],
        _embedded() if "llmstack.llama_server" in argv else "",
    ]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _state(path: Path) -> list[object] | None:
    with suppress(OSError, ValueError):  # a word may be no path at all
        if path.is_file():
            stat = path.stat()
            return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
    return None


def _embedded() -> str:
    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        return ""
