"""Small synchronous HTTP client for the command line: standard library only, never a proxy."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds for a connection and for an answer that needs no model.
LIMIT = 5.0


#: Largest answer in bytes that is read whole, and largest event of a stream.
LARGEST = 8 * 1024 * 1024

#: Seconds beyond its limit that an answer may take which keeps coming in little pieces.
PATIENCE = 30.0


class Refused(DaemonError):
    """The server answered, with an HTTP ``status`` other than 200."""

    def __init__(self, status: int, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.status = status


def get_json(base: str, path: str, limit: float = LIMIT, *, key: str = "") -> Any:
    """The decoded body of ``GET base+path``.

    Raises:
        DaemonError: no answer, not a 200, or no JSON.
    """
    try:
        return json.loads(get_text(base, path, limit, key=key))
    except (ValueError, RecursionError) as error:
        raise DaemonError(f"{base}{path} did not answer with JSON", why=str(error)) from error


def post_json(base: str, path: str, body: bytes, limit: float = LIMIT, *, key: str = "") -> Any:
    """The decoded answer to the JSON ``body``; see ``get_json``."""
    try:
        return json.loads(get_text(base, path, limit, key=key, body=body))
    except (ValueError, RecursionError) as error:
        raise DaemonError(f"{base}{path} did not answer with JSON", why=str(error)) from error


def get_text(
    base: str, path: str, limit: float = LIMIT, *, key: str = "", body: bytes | None = None
) -> str:
    """The body of ``GET base+path``, which is UTF-8. ``key`` is an API key to show.

    With a JSON ``body`` of the request's it is a POST.

    Raises:
        DaemonError: no answer, not a 200, no text, or more than ``LARGEST`` bytes.
    """
    try:
        with closing(_connect(base, limit)) as connection:
            prefix = urlsplit(base).path.rstrip("/")
            connection.connect()
            with _within(connection.sock, limit + PATIENCE):
                headers = _headers(key)
                if body is not None:
                    headers["content-type"] = "application/json"
                method = "GET" if body is None else "POST"
                connection.request(method, f"{prefix}{path}", body, headers)
                with connection.getresponse() as answer:
                    told = answer.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise DaemonError(f"{base} does not answer", why=str(error)) from error
    _check(base, path, answer.status, told)
    if len(told) > LARGEST:
        raise DaemonError(f"{base}{path} is larger than {LARGEST >> 20} MiB")
    try:
        return told.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DaemonError(f"{base}{path} is not text", why=str(error)) from error


def _check(base: str, path: str, status: int, told: bytes) -> None:
    if status in (401, 403):
        raise Refused(
            status,
            f"{base} wants an API key" if status == 401 else f"{base} refuses this API key",
            fix="Put a key of that server in the variable LLMSTACK_API_KEY.",
        )
    if status != 200:
        why = told.decode("utf-8", "replace")[:500]
        raise Refused(status, f"{base}{path} answered {status}", why=why)


@contextmanager
def opened(
    base: str, path: str, silence: float, *, key: str = ""
) -> Iterator[http.client.HTTPResponse]:
    """The answer to ``GET base+path``, to be read as it comes.

    No more than ``silence`` seconds may pass without a byte.

    Raises:
        DaemonError: no answer, or not a 200.
    """
    with closing(_connect(base, silence)) as connection:
        try:
            prefix = urlsplit(base).path.rstrip("/")
            connection.request("GET", f"{prefix}{path}", headers=_headers(key))
            answer = connection.getresponse()
            told = answer.read(LARGEST) if answer.status != 200 else b""
        except (OSError, http.client.HTTPException) as error:
            raise DaemonError(f"{base} does not answer", why=str(error)) from error
        with answer:
            _check(base, path, answer.status, told)
            yield answer


def read_events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """The events of ``/api/events`` by kind and data, until the other side ends the stream.

    Raises:
        OSError, HTTPException, ValueError, RecursionError: it breaks off, or is no such stream.
    """
    while line := answer.readline(LARGEST):
        if line.startswith(b"data:"):
            envelope = json.loads(line[5:])
            if not isinstance(envelope, dict):
                raise ValueError("an event is no JSON object")
            yield str(envelope.get("type")), json.loads(str(envelope.get("data")))


class EventStream:
    """A streamed POST: the headers, then the data of every server-sent event."""

    def __init__(self, base: str, path: str, body: Mapping[str, Any], *, key: str = "") -> None:
        """Send the request and read the head of the answer. ``key`` is an API key to show.

        Raises:
            DaemonError: no answer, or an error status; ``why`` holds its message.
        """
        self._connection = _connect(base, None)
        try:
            prefix = urlsplit(base).path.rstrip("/")
            headers = {"content-type": "application/json", **_headers(key)}
            self._connection.request("POST", f"{prefix}{path}", json.dumps(body), headers)
            self._answer = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise DaemonError(f"{base} does not answer", why=str(error)) from error
        if self._answer.status != 200:
            text = self._error_text()
            self.close()
            raise DaemonError(f"{base}{path} answered {self._answer.status}", why=_message(text))

    def _error_text(self) -> str:
        try:
            return self._answer.read(LARGEST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return str(error)

    def header(self, name: str) -> str:
        """A response header, or an empty text."""
        return self._answer.getheader(name) or ""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Decoded events up to ``[DONE]`` or the end of the stream.

        Raises:
            DaemonError: the stream carried an error or broke off.
        """
        try:
            while line := self._answer.readline(LARGEST):
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                event = json.loads(data)
                if not isinstance(event, dict):
                    raise DaemonError("the answer broke off", why="An event is no JSON object.")
                if "error" in event:
                    raise DaemonError("the answer broke off", why=_message(data.decode()))
                yield event
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise DaemonError("the answer broke off", why=str(error)) from error
        finally:
            self.close()

    def close(self) -> None:
        """Hang up; a generation that still runs is cancelled by that."""
        self._answer.close()
        self._connection.close()


def _connect(base: str, limit: float | None) -> http.client.HTTPConnection:
    try:
        where = urlsplit(base)
        host, port = where.hostname or "", where.port
        host.encode("idna")
    except ValueError as error:
        raise DaemonError(f"{base} is not an address", why=str(error)) from error
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=limit)


@contextmanager
def _within(connected: socket.socket, limit: float) -> Iterator[None]:
    """Hang up after ``limit`` seconds, and raise ``TimeoutError`` then."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    timer = threading.Timer(limit, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"the answer is not complete after {limit:.0f} s")


def _headers(key: str) -> dict[str, str]:
    if not (key.isascii() and key.isprintable()):  # never quoted, as it is a secret
        raise DaemonError(
            "the API key is none", why="It has letters or line ends that no header can hold."
        )
    return {"authorization": f"Bearer {key}"} if key else {}


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500]
