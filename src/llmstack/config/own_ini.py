"""Which models.ini is this machine's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.marker import read_marker
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.workdir import WorkDir


def own_models_ini(work: WorkDir, environ: Mapping[str, str]) -> Path:
    """The file that ``$LLMSTACK_MODELS_INI`` names, else the project's.

    Raises:
        DaemonError: there is none; a thin client has none of its own.
    """
    ini = Path(environ.get("LLMSTACK_MODELS_INI") or work.models_ini)
    if ini.is_file():
        return ini
    marker = read_marker(work.default_channel)
    if marker and marker.channel == "external":
        raise DaemonError(
            f"there is no {ini}",
            why=f"This project is a thin client of {marker.url}, which has the models.",
            fix="Ask there, or run models here: llmstack install --current",
        )
    raise DaemonError(
        f"there is no {ini}",
        fix="Write one and fetch its models: llmstack setup\n"
        "Or write it only: llmstack init. Or look around first: llmstack demo",
    )
