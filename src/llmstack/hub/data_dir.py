"""Where llmstack keeps what it downloads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def data_dir(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    r"""Return the directory for models and downloads; it need not exist.

    ``LLMSTACK_DATA_DIR`` if set; on Windows ``%LOCALAPPDATA%\llmstack``; elsewhere
    ``$XDG_DATA_HOME/llmstack``, by default ``~/.local/share/llmstack``. A relative
    ``XDG_DATA_HOME`` is ignored, as the XDG base directory specification asks.
    """
    if chosen := environ.get("LLMSTACK_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "llmstack"
    share = Path(environ.get("XDG_DATA_HOME", ""))
    if not share.is_absolute():
        home = environ.get("HOME")
        share = (Path(home) if home else Path.home()) / ".local" / "share"
    return share / "llmstack"
