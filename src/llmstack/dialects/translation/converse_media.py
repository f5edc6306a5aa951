"""Pictures and documents as blocks of Converse, which wants their bytes and their format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Document, Image

_IMAGE_TYPES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_DOCUMENT_TYPES = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/msword": "doc",
    _WORD: "docx",
    "application/vnd.ms-excel": "xls",
    _SHEET: "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/x-markdown": "md",
}
_ENDINGS = {
    **{kind: kind for kind in ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")},
    "htm": "html",
    "markdown": "md",
    "text": "txt",
}
_S3 = re.compile(r"s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/\S*)?")
# Alphanumerics, single spaces, hyphens, parentheses and brackets (DocumentBlock's reference).
_FOREIGN = re.compile(r"[^a-zA-Z0-9\s\-()\[\]]+")
_SPACES = re.compile(r"\s+")
_LONGEST_NAME = 200


def image_block(image: Image) -> dict[str, Any]:
    """``image`` for Converse. Raises BadRequest when it has no bytes or no known format."""
    source = _source("image", image.data, image.url)
    # The bytes are believed before the label: a model refuses a picture that is not as labelled.
    form = _sniffed(image.data) or _IMAGE_TYPES.get(_bare(image.media_type))
    if not form and image.url:
        form = {"jpg": "jpeg"}.get(ending := _ending(image.url), ending)
    if form not in _IMAGE_TYPES.values():
        raise BadRequest(
            "The format of a picture is none that Bedrock takes",
            why=f"Its type is {image.media_type or 'unknown'}.",
            fix="Send it as PNG, JPEG, GIF or WebP.",
        )
    return {"image": {"format": form, "source": source}}


class DocumentNames:
    """Names for documents: valid, and each used once in a request."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def of(self, name: str) -> str:
        """A name like ``name`` that no other document has."""
        clean = _SPACES.sub(" ", _FOREIGN.sub("-", name)).strip(" -")[:_LONGEST_NAME].strip()
        clean = clean or "document"
        unique, count = clean, self._counts.get(clean, 1)
        while unique in self._taken:
            count += 1
            tail = f" ({count})"
            unique = clean[: _LONGEST_NAME - len(tail)].rstrip() + tail
        self._counts[clean] = count
        self._taken.add(unique)
        return unique


def document_block(document: Document, names: DocumentNames) -> dict[str, Any]:
    """``document`` for Converse. Raises BadRequest when it has no bytes or no known format."""
    source = _source("document", document.data, document.url)
    form = (
        _DOCUMENT_TYPES.get(_bare(document.media_type))
        or _ENDINGS.get(_ending(document.name))
        or _ENDINGS.get(_ending(document.url))
        or ("pdf" if document.data.startswith(b"%PDF-") else "")
        or ("txt" if document.media_type.startswith("text/") else "")
    )
    if not form:
        raise BadRequest(
            "The format of a document is none that Bedrock takes",
            why=f"Its type is {document.media_type or 'unknown'}.",
            fix=f"Send one of {', '.join(dict.fromkeys(_ENDINGS.values()))}.",
        )
    stem = document.name.rpartition(".")[0] if _ending(document.name) in _ENDINGS else ""
    name = names.of(stem or document.name)
    return {"document": {"format": form, "name": name, "source": source}}


def _source(noun: str, data: bytes, url: str) -> dict[str, Any]:
    if data:
        return {"bytes": data}
    if _S3.fullmatch(url) and len(url) <= 1024:
        return {"s3Location": {"uri": url}}
    what = "An image" if noun == "image" else "A document"
    example = "data:image/png;base64,..." if noun == "image" else "data:application/pdf;base64,..."
    raise BadRequest(
        f"{what} is given by a URL" if url else f"{what} has no data",
        why="Bedrock does not fetch from the web." if url else "",
        fix=f"Send its bytes in base64, as in the URL {example}",
    )


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _sniffed(data: bytes) -> str:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return ""
