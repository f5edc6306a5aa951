"""What could keep a stack from working here, found before it does."""

from llmstack.server.doctor.check import Check
from llmstack.server.doctor.examination import examine

__all__ = ["Check", "examine"]
