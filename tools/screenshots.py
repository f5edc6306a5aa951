"""Make the README's pictures anew: run their tests for longer, and take over what they left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = ROOT / "build" / "screenshots" / "readme"
SHOWN = ROOT / "docs" / "screenshots"
NAMES = ("overview", "activity", "routing", "playground")
#: Bytes that one picture may have: readers load all of them.
MOST = 200_000


def main() -> int:
    """Exit status 1 if a picture cannot be made, or is too big to be shown."""
    tests = [sys.executable, "-m", "pytest", "--timeout", "900", "tests/ui/test_screenshots.py"]
    environment = {**os.environ, "LLMSTACK_SCREENSHOTS": "1"}
    if subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode:
        return 1
    SHOWN.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        picture = MADE / f"{name}.png"
        size = picture.stat().st_size
        if size > MOST:
            sys.stderr.write(f"{picture} has {size:,} bytes, more than {MOST:,}.\n")
            return 1
        shutil.copy(picture, SHOWN / picture.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
