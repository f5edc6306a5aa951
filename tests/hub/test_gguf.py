"""GGUF headers are read as the reference library reads them, and a hostile file is an error."""

from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.hub.gguf import MAX_HEADER, GgufError, parse_gguf, read_gguf
from tests.hub.gguf_file import header, text, value

if TYPE_CHECKING:
    from llmstack.hub.gguf import Gguf

TINY = Path(__file__).parent.parent / "models" / "tiny_chat" / "tiny-chat.gguf"
SMOL = Path.home() / ".local/share/llmstack/models/SmolLM2-135M-Instruct.Q4_1.gguf"


def parse(data: bytes) -> Gguf:
    return parse_gguf(io.BytesIO(data), "file")


def why(data: bytes) -> str:
    with pytest.raises(GgufError) as caught:
        parse(data)
    return caught.value.why


@pytest.mark.parametrize("path", [TINY, SMOL], ids=lambda path: path.stem)
def test_real_files_are_read_as_the_reference_library_reads_them(path: Path) -> None:
    if not path.exists():
        pytest.skip("not downloaded")
    ours, theirs = read_gguf(path), gguf.GGUFReader(path)
    for key, field in theirs.fields.items():
        if key.startswith("GGUF."):
            continue
        contents = field.contents()
        if isinstance(contents, list):
            assert ours.lengths[key] == len(contents)
        else:
            assert ours.metadata[key] == contents
    assert {t.name for t in theirs.tensors} == set(ours.tensors)
    for tensor in theirs.tensors:
        assert tensor.n_bytes <= ours.tensors[tensor.name] < tensor.n_bytes + 32


@pytest.mark.parametrize("endian", list(gguf.GGUFEndian), ids=lambda endian: endian.name)
def test_both_byte_orders_as_the_reference_library_writes_them(
    tmp_path: Path, endian: gguf.GGUFEndian
) -> None:
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=endian)
    writer.add_block_count(32)
    writer.add_array("llama.attention.head_count_kv", [8, 0, 8])
    writer.add_token_list([b"a", b"bc"])
    writer.add_layer_norm_rms_eps(0.5)
    writer.add_tensor("blk.0.a", np.zeros((4, 32), dtype=np.float32))
    writer.add_tensor("blk.0.b", np.zeros((3, 32), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_gguf(path)
    assert found.architecture == "llama"
    assert found.metadata["llama.block_count"] == 32
    assert found.metadata["llama.attention.head_count_kv"] == (8, 0, 8)
    assert found.metadata["llama.attention.layer_norm_rms_epsilon"] == 0.5
    assert found.lengths["tokenizer.ggml.tokens"] == 2
    assert found.tensors == {"blk.0.a": 512, "blk.0.b": 192}


entries = st.dictionaries(
    st.text(min_size=1, max_size=20).filter(lambda key: key != "general.alignment"),
    st.one_of(
        st.text(max_size=50),
        st.booleans(),
        st.integers(0, 2**64 - 1),
        st.floats(allow_nan=False),
        st.lists(st.text(max_size=9), min_size=1, max_size=5),
        st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5),
    ),
    max_size=6,
)
tensors = st.dictionaries(st.text(max_size=20), st.integers(1, 500), max_size=4)


@given(
    wanted=entries,
    sizes=tensors,
    order=st.sampled_from("<>"),
    version=st.sampled_from([2, 3]),
)
def test_what_was_written_is_read(
    wanted: dict[str, Any], sizes: dict[str, int], order: str, version: int
) -> None:
    found = parse(header(wanted, sizes, order=order, version=version))
    for key, of in wanted.items():
        if not isinstance(of, list):
            assert found.metadata[key] == of
        else:
            assert found.lengths[key] == len(of)
            assert isinstance(of[0], str) or found.metadata[key] == tuple(of)
    assert {name: -(-size // 32) * 32 for name, size in sizes.items()} == found.tensors


GOOD = header(
    {"general.architecture": "llama", "llama.block_count": 2, "t": ["a", "b"], "n": [1, 2]},
    {"blk.0.x": 64, "output": 40},
)


@settings(max_examples=400)
@given(
    patches=st.lists(
        st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8)), max_size=4
    ),
    end=st.integers(0, len(GOOD)),
)
def test_a_damaged_file_is_an_error_or_a_header_but_nothing_else(
    patches: list[tuple[int, bytes]], end: int
) -> None:
    data = bytearray(GOOD)
    for at, patch in patches:
        data[at : at + len(patch)] = patch
    try:
        found = parse(bytes(data[:end]))
    except GgufError:
        return
    assert sum(found.tensors.values()) <= end


def test_a_file_that_is_cut_off_anywhere_is_an_error() -> None:
    data = len(GOOD) - 128
    for end in range(data + 65):
        with pytest.raises(GgufError):
            parse(GOOD[:end])
    parse(GOOD)


HUGE = 2**63
START = b"GGUF" + struct.pack("<I", 3)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut off at byte 0"),
        (b"ZIP!" + bytes(20), "does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (START + struct.pack("<QQ", HUGE, 0), "tensors are more than"),
        (START + struct.pack("<QQ", 0, HUGE), "entries are more than"),
        (START + struct.pack("<QQQ", 0, 1, HUGE), "bytes of a key are more than"),
        (START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IQ", 8, HUGE), "of a text"),
        (
            START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, HUGE),
            "items of an array",
        ),
        (
            START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQQ", 9, 8, 2, 2**50),
            "longer than the file",
        ),
        (
            START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 1 << 22),
            "cut off",
        ),
        (START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1), "array's"),
        (START + struct.pack("<QQ", 0, 1) + text("k") + struct.pack("<I", 99), "99 is no type"),
        (START + struct.pack("<QQ", 0, 2) + 2 * (text("k") + value(True)), "comes twice"),
        (header({"general.alignment": 0}), "alignment 0"),
        (header({"general.alignment": "32"}), "alignment '32'"),
        (START + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<I", 99), "dimensions"),
        (
            START + struct.pack("<QQ", 1, 0) + text("t") + struct.pack("<IQIQ", 1, 4, 0, HUGE),
            "cut off before its last tensor",
        ),
    ],
)
def test_lies_are_told(data: bytes, said: str) -> None:
    assert said in why(data)


def test_a_file_that_claims_much_costs_little(tmp_path: Path) -> None:
    """Sparse zeros after a head that promises millions of texts and numbers."""
    path = tmp_path / "sparse.gguf"
    count = 1 << 22
    head = START + struct.pack("<QQ", 0, 3)
    head += text("a") + struct.pack("<IIQ", 9, 8, count)
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(10 << 30)
    tracemalloc.start()
    begun = time.process_time()
    with pytest.raises(GgufError):
        read_gguf(path)
    spent = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20
    assert spent < 60


def test_a_header_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.gguf"
    head = START + struct.pack("<QQ", 0, 20)
    with path.open("wb") as stream:
        stream.write(head)
        for n in range(20):
            stream.write(text(f"k{n}") + struct.pack("<IIQ", 9, 10, 1 << 20))
            stream.seek(8 << 20, os.SEEK_CUR)
        stream.truncate()
    assert path.stat().st_size > MAX_HEADER
    with pytest.raises(GgufError) as caught:
        read_gguf(path)
    assert "too long" in caught.value.why


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.gguf", Path(os.devnull)):
        with pytest.raises(GgufError):
            read_gguf(path)
    with pytest.raises(GgufError):
        read_gguf(Path("a\0b"))
