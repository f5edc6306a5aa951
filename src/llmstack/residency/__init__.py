"""Which models may be loaded together, and which must leave for a newcomer. Pure."""

from llmstack.residency.explanation import Explanation
from llmstack.residency.idle import Idle
from llmstack.residency.memory import MemoryFacts
from llmstack.residency.rules import Residency, compile_residency

__all__ = ["Explanation", "Idle", "MemoryFacts", "Residency", "compile_residency"]
