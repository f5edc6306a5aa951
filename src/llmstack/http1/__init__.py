"""A small pooled HTTP/1.1 client for the hop to model processes.

Parsing is ``httptools`` (llhttp, the parser that the server uses too); this package adds what a
relay needs around it: kept connections, back-pressure, raw headers, and a cancellation that ends
the work upstream. ``docs/decisions`` says what it was measured against.
"""

from llmstack.http1.limits import Limits
from llmstack.http1.pool import Pool
from llmstack.http1.response import Broken, Response, Unreachable

__all__ = ["Broken", "Limits", "Pool", "Response", "Unreachable"]
