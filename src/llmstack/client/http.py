"""Small synchronous HTTP client for the command line: standard library only, never a proxy."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds for a connection and for an answer that needs no model.
LIMIT = 5.0


def get_json(base: str, path: str, limit: float = LIMIT) -> Any:
    """The decoded body of ``GET base+path``.

    Raises:
        DaemonError: no answer, or not a 200.
    """
    try:
        with closing(_connect(base, limit)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise DaemonError(f"{base} does not answer", why=str(error)) from error
    if answer.status != 200:
        raise DaemonError(f"{base}{path} answered {answer.status}", why=body.decode()[:500])
    return json.loads(body)


class EventStream:
    """A streamed POST: the headers, then the data of every server-sent event."""

    def __init__(self, base: str, path: str, body: Mapping[str, Any]) -> None:
        """Send the request and read the head of the answer.

        Raises:
            DaemonError: no answer, or an error status; ``why`` holds its message.
        """
        self._connection = _connect(base, None)
        try:
            self._connection.request(
                "POST", path, json.dumps(body), {"content-type": "application/json"}
            )
            self._answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise DaemonError(f"{base} does not answer", why=str(error)) from error
        if self._answer.status != 200:
            text = self._answer.read().decode("utf-8", "replace")
            self.close()
            raise DaemonError(f"{base}{path} answered {self._answer.status}", why=_message(text))

    def header(self, name: str) -> str:
        """A response header, or an empty text."""
        return self._answer.getheader(name) or ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Decoded events up to ``[DONE]`` or the end of the stream.

        Raises:
            DaemonError: the stream carried an error or broke off.
        """
        try:
            for line in self._answer:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                event = json.loads(data)
                if "error" in event:
                    raise DaemonError("the answer broke off", why=_message(data.decode()))
                yield event
        except (OSError, http.client.HTTPException) as error:
            raise DaemonError("the answer broke off", why=str(error)) from error
        finally:
            self.close()

    def close(self) -> None:
        """Hang up; a generation that still runs is cancelled by that."""
        self._answer.close()
        self._connection.close()


def _connect(base: str, limit: float | None) -> http.client.HTTPConnection:
    where = urlsplit(base)
    return http.client.HTTPConnection(where.hostname or "", where.port, timeout=limit)


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500]
