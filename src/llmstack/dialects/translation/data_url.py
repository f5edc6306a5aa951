"""Pictures and files in a request: as base64, as a data URL (RFC 2397), or by an address.

Nothing here opens an address; what is none of http and https is refused where it is read, since an
upstream might look for it on its own disk.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from urllib.parse import unquote_to_bytes


def is_web(url: str) -> bool:
    """Whether ``url`` is one that an upstream may fetch."""
    return url[:8].lower().startswith(("http://", "https://"))


def read_base64(text: str) -> bytes | None:
    """What ``text`` encodes; None when it is no base64, or that of nothing."""
    try:
        return a2b_base64("".join(text.split()), strict_mode=True) or None
    except (NotBase64, ValueError):
        return None


def read_data_url(url: str) -> tuple[str, bytes] | None:
    """Media type ("" for none) and bytes; None when ``url`` is no data URL, or holds nothing."""
    head, comma, text = url.partition(",")
    if not comma or head[:5].lower() != "data:":
        return None
    media_type, *options = (part.strip().lower() for part in head[5:].split(";"))
    data = read_base64(text) if "base64" in options else unquote_to_bytes(text)
    return (media_type, data) if data else None


def write_data_url(media_type: str, data: bytes) -> str:
    """``data`` as a URL."""
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def read_file_data(text: str) -> tuple[str, bytes] | None:
    """Like ``read_data_url``; clients send the base64 alone as well."""
    return read_data_url(text if text[:5].lower() == "data:" else f"data:;base64,{text}")
