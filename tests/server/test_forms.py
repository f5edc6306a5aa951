"""Forms: one field is read or replaced, and every other byte stays."""

from __future__ import annotations

import contextlib
import time
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.errors import BadRequest, BodyTooLarge
from llmstack.server.forms import (
    FORM_LIMIT,
    PARTS,
    form_of,
    form_value,
    multipart_value,
    with_form_value,
    with_multipart_value,
)

#: Names of fields, most of them ways to write ``model``.
KEYS = ("model", "mod%65l", "%6D%6f%64%65%6c", "model+", "xmodel", "models", "", "%", "Model")

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


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.text("a &=%+/", max_size=4)), max_size=6))
def test_a_field_is_found_however_its_name_is_written(fields: list[tuple[str, str]]) -> None:
    form = "&".join(f"{key}={quote(value)}" for key, value in fields).encode()
    named = [value for key, value in parse_qsl(form.decode(), True) if key == "model"]
    assert form_value(form, "model") == (named[0] if named else "")
    renamed = parse_qsl(with_form_value(form, "model", "n&w").decode(), True)
    assert [value for key, value in renamed if key == "model"] == ["n&w"] * len(named)
    assert [pair for pair in renamed if pair[0] != "model"] == [
        pair for pair in parse_qsl(form.decode(), True) if pair[0] != "model"
    ]


def test_only_a_declared_form_is_too_large() -> None:
    """Go's parser has the same limit; other bodies, such as audio, are not looked at."""
    large = b"a" * (FORM_LIMIT + 1)
    assert form_of(large[1:], declared=True) == large[1:]
    assert form_of(large, declared=False) == b""
    with pytest.raises(BodyTooLarge):
        form_of(large, declared=True)


@pytest.mark.parametrize(
    "body",
    [b"&" * FORM_LIMIT, b"%&" * (FORM_LIMIT // 20), b"model" * (FORM_LIMIT // 5), b"=%" * 1000000],
)
def test_a_hostile_form_does_not_keep_everybody_waiting(body: bytes) -> None:
    begun = time.process_time()
    assert form_value(body, "model") == ""
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\n\r\n\r\n" * (PARTS + 1) + b"--x--",
        b"--x" + b"\r\n--xx" * 2_000_000 + b"\r\n--x--",
    ],
)
def test_a_multipart_body_of_very_many_parts_is_given_up(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(BadRequest, match="could not parse multipart form"):
        multipart_value(body, b"multipart/form-data; boundary=x", "model")
    assert time.process_time() - begun < 2.0
