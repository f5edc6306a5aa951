"""Forms: one field is read or replaced, and every other byte stays."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.errors import BadRequest
from llmstack.server.forms import (
    form_value,
    multipart_value,
    with_form_value,
    with_multipart_value,
)

KIND = b'multipart/form-data; boundary="--x y"'
BODY = (
    b"preamble\r\n----x y\r\n"
    b'Content-Disposition: form-data; name="file"; filename="model.wav"\r\n'
    b"Content-Type: audio/wav\r\nX-Extra: kept\r\n\r\n"
    b"\x00\xff----x y\r\n\r\n--\r\n----x yz\r\n"
    b"\r\n----x y\r\n"
    b'content-disposition: form-data; name="model"\r\n\r\n'
    b"small"
    b"\r\n----x y\r\n"
    b"Content-Disposition: form-data; name=stream\r\n\r\n"
    b"true"
    b"\r\n----x y\r\n"
    b'Content-Disposition: form-data; name="empty"\r\n\r\n'
    b"\r\n----x y--\r\nepilogue"
)


def test_text_fields_are_found_and_files_are_not() -> None:
    assert multipart_value(BODY, KIND, "model") == "small"
    assert multipart_value(BODY, KIND, "stream") == "true"
    assert multipart_value(BODY, KIND, "empty") == ""
    assert multipart_value(BODY, KIND, "file") == ""


def test_replacing_a_field_keeps_every_other_byte() -> None:
    """Better than llama-swap, which loses the headers of the parts."""
    got = with_multipart_value(BODY, KIND, "model", "large")
    assert got == BODY.replace(b"small", b"large")
    assert with_multipart_value(BODY, KIND, "other", "large") == BODY


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY, b"multipart/form-data"),
        (BODY, b"multipart/form-data; boundary=other"),
        (b"", KIND),
        (BODY[:200], KIND),
        (b"----x y\r\nno end of the head", KIND),
        (b"----x y", KIND),
    ],
)
def test_a_broken_form_is_the_clients_fault(body: bytes, kind: bytes) -> None:
    with pytest.raises(BadRequest, match="could not parse multipart form"):
        multipart_value(body, kind, "model")


@given(st.binary(max_size=60), st.text('ab;="\\-xy ', max_size=30))
def test_no_bytes_do_anything_but_parse_or_fail(body: bytes, kind: str) -> None:
    with contextlib.suppress(BadRequest):
        multipart_value(b"--x" + body, b"multipart/form-data; boundary=x;" + kind.encode(), "model")


def test_urlencoded_fields_are_read_and_replaced_in_place() -> None:
    form = b"a=1&model=x%2Fy+z&model=w&b=%zz&c"
    assert form_value(form, "model") == "x/y z"
    assert form_value(form, "none") == ""
    assert with_form_value(form, "model", "n/m") == b"a=1&model=n%2Fm&model=n%2Fm&b=%zz&c"
