"""Requests to a real stack, so that there is something to look at."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.e2e.stack import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.stack import Stack

Json = dict[str, Any]


def ask(stack: Stack, body: Json, session: str) -> int:
    """One chat completion in a session that is named; its status, once the log has it."""
    address = urlsplit(stack.gateway)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    headers = {"content-type": "application/json", "x-session-id": session}
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        response.read()
        return response.status


def said(text: str, **more: Any) -> Json:
    """A body for ``auto``."""
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **more}


def newest(stack: Stack, **filters: Any) -> Json:
    """The newest row of the activity log."""
    query = urlencode({"limit": 1, **filters})
    rows = stack.request("GET", f"/api/metrics/activity?{query}").json()["data"]
    found: Json = rows[0]
    return found


@dataclass(slots=True)
class Story:
    """A stream that is read as it comes. ``got`` are the bytes so far."""

    got: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_story(stack: Stack, **more: Any) -> Iterator[Story]:
    """A long answer of ``code-fast`` that runs; its client goes at the end."""
    body = {"max_tokens": 2000, "ignore_eos": True, **said("Tell me a long story"), **more}
    story = Story()
    stop = threading.Event()

    def read() -> None:
        try:
            with stack.stream("/v1/chat/completions", {**body, "model": "code-fast"}) as response:
                while (piece := response.read1(65536)) and not stop.is_set():
                    story.got += piece
        except (OSError, http.client.HTTPException):
            pass  # it was cancelled
        finally:
            story.ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: story.got, "the story has begun")
        yield story
    finally:
        stop.set()
        reader.join()
