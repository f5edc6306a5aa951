"""The option table."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter

import pytest

from llmstack.llama_server.flag import Flag, Member
from llmstack.llama_server.flags import CHAPTERS, FLAGS, READERS
from llmstack.llama_server.usage import usage

xllamacpp = pytest.importorskip("xllamacpp")


def test_no_spelling_means_two_things() -> None:
    spellings = Counter(name for flag in FLAGS for name in (*flag.names, *flag.off))
    assert [name for name, count in spellings.items() if count > 1] == []


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag.target], ids=lambda f: f.key)
def test_an_option_sets_an_attribute_that_the_binding_has(flag: Flag) -> None:
    attrgetter(flag.target.removeprefix("!"))(xllamacpp.CommonParams())


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        ("kvtype", "f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 q5_1"),
        ("pooling", "none mean cls last rank"),
        ("rope", "none linear yarn"),
        ("split", "none layer row tensor"),
        ("lazy", "on off auto"),
        ("numa", "distribute isolate numactl"),
        ("load", "auto none mmap mlock mmap+mlock dio"),
        ("flash", "on off auto true false 1 0"),
        ("reasoning", "none auto deepseek deepseek-legacy"),
        ("priority", "-1 0 1 2 3"),
    ],
)
def test_every_choice_is_a_member_that_the_binding_has(reader: str, words: str) -> None:
    for word in words.split():
        member = READERS[reader](word)
        assert isinstance(member, Member)
        assert hasattr(getattr(xllamacpp, member.enum), member.name)


def test_the_usage_names_every_spelling_and_variable() -> None:
    text = usage(CHAPTERS)
    for flag in FLAGS:
        for name in (*flag.names, *flag.off, flag.env):
            assert name in text
    assert max(len(line) for line in text.splitlines()) <= 100
