"""``llmstack eval replay``."""
from __future__ import annotations
def configure(parser): pass
def run(arguments): return 0
