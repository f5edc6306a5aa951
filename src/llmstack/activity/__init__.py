"""What has been asked and answered: request log, captures, live table, metrics, hardware.

Nothing here serves HTTP or knows the engine: the server feeds it and asks it.
"""

from typing import TYPE_CHECKING

from llmstack.lazy import exports

if TYPE_CHECKING:
    from llmstack.activity.captures import Capture, CaptureCache, Recording
    from llmstack.activity.clients import ClientMetrics
    from llmstack.activity.events import Client, Events, encode_event
    from llmstack.activity.exposition import CONTENT_TYPE
    from llmstack.activity.failure import error_message
    from llmstack.activity.hardware import detect_hardware
    from llmstack.activity.headers import shown_headers
    from llmstack.activity.inflight import Inflight, InflightTable
    from llmstack.activity.metrics import metrics_text
    from llmstack.activity.model_metrics import ModelMetrics
    from llmstack.activity.performance import Sampler
    from llmstack.activity.query import ActivityQuery, parse_query, parse_rfc3339
    from llmstack.activity.reading import Page
    from llmstack.activity.record import ActivityRow, rfc3339
    from llmstack.activity.spend import Exceeded, Spend
    from llmstack.activity.store import ActivityStore
    from llmstack.activity.tally import Usage
    from llmstack.activity.usage import UsageMeter

__all__ = [
    "CONTENT_TYPE",
    "ActivityQuery",
    "ActivityRow",
    "ActivityStore",
    "Capture",
    "CaptureCache",
    "Client",
    "ClientMetrics",
    "Events",
    "Exceeded",
    "Inflight",
    "InflightTable",
    "ModelMetrics",
    "Page",
    "Recording",
    "Sampler",
    "Spend",
    "Usage",
    "UsageMeter",
    "detect_hardware",
    "encode_event",
    "error_message",
    "metrics_text",
    "parse_query",
    "parse_rfc3339",
    "rfc3339",
    "shown_headers",
]

__getattr__ = exports(
    __name__,
    {
        "CONTENT_TYPE": "exposition",
        "ActivityQuery": "query",
        "ActivityRow": "record",
        "ActivityStore": "store",
        "Capture": "captures",
        "CaptureCache": "captures",
        "Client": "events",
        "ClientMetrics": "clients",
        "Events": "events",
        "Exceeded": "spend",
        "Inflight": "inflight",
        "InflightTable": "inflight",
        "ModelMetrics": "model_metrics",
        "Page": "reading",
        "Recording": "captures",
        "Sampler": "performance",
        "Spend": "spend",
        "Usage": "tally",
        "UsageMeter": "usage",
        "detect_hardware": "hardware",
        "encode_event": "events",
        "error_message": "failure",
        "metrics_text": "metrics",
        "parse_query": "query",
        "parse_rfc3339": "query",
        "rfc3339": "record",
        "shown_headers": "headers",
    },
)
