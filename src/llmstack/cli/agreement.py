"""Asks before something is written."""

from __future__ import annotations

import sys


def agreed() -> bool:
    """Whether the person at the terminal agrees; without one nobody does."""
    if not sys.stdin.isatty():
        print("[!] nobody is there to ask; give --yes to write this", file=sys.stderr)
        return False
    print("Write this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
