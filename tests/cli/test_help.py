"""Help is quick: what is heavy is imported where it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from llmstack.cli.commands import COMMANDS

#: Packages that take longer to import than a whole help page may take.
HEAVY = ("asyncio", "http.client", "huggingface_hub", "psutil", "rich", "starlette", "uvicorn")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "help"])
def test_no_help_page_imports_anything_heavy(name: str) -> None:
    code = (
        "import sys\nfrom llmstack.cli import main\n"
        f"try:\n    main([{name!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', *[one for one in {HEAVY!r} if one in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: llmstack")
    assert done.stdout.splitlines()[-1] == "heavy:"
