"""Local model processes: start, health, queue, swap, stop. ``design.md`` holds the invariants."""

from llmstack.engine.engine import Engine, ModelStatus
from llmstack.engine.events import ModelChanged
from llmstack.engine.lease import Lease
from llmstack.engine.plan import State

__all__ = ["Engine", "Lease", "ModelChanged", "ModelStatus", "State"]
