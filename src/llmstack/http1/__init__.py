"""HTTP/1.1 on both sides of the relay: a pooled client for model processes, and the server.

Parsing is ``httptools`` (llhttp); this package adds what a relay needs around it. The client has
kept connections, back-pressure, raw headers, and a cancellation that ends the work upstream; the
server runs an ASGI application. ``docs/decisions`` (2 and 7) says what they were measured against.
"""

from llmstack.http1.exchange import EXCHANGE, Exchange
from llmstack.http1.limits import Limits
from llmstack.http1.pool import Pool
from llmstack.http1.response import Broken, Response, TooLate, Unreachable
from llmstack.http1.server import ServerConnection, Service

__all__ = [
    "EXCHANGE",
    "Broken",
    "Exchange",
    "Limits",
    "Pool",
    "Response",
    "ServerConnection",
    "Service",
    "TooLate",
    "Unreachable",
]
