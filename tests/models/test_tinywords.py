"""The fixture model itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.models.tinywords import WORDS, vocabulary, write_tinywords

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_bytes_come_out_every_time(tmp_path: Path, tinywords_path: Path) -> None:
    again = tmp_path / "again.gguf"
    write_tinywords(again)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (again, tinywords_path)}
    assert len(digests) == 1


def test_it_is_small(tinywords_path: Path) -> None:
    assert tinywords_path.stat().st_size < 400_000


def test_every_word_is_one_token() -> None:
    words = vocabulary()
    assert len(words.words) == len(set(words.words)) == len(WORDS.split())
    assert [words.tokens[i] for i in words.words] == ["Ġ" + word for word in WORDS.split()]
