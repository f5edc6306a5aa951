"""Files on the hub, and the parts of one."""

from __future__ import annotations

from llmstack.hub.hub_file import HubFile


def test_a_split_model_is_all_of_its_parts() -> None:
    """llama-server loads the first part and expects the others beside it."""
    parts = HubFile("o/r", "Q4/big-00001-of-00003.gguf").parts()
    assert [part.name for part in parts] == [f"Q4/big-0000{n}-of-00003.gguf" for n in (1, 2, 3)]


def test_other_names_are_one_file() -> None:
    """A name that only looks like a part is taken as it is."""
    for name in ("a.gguf", "a-00001-of-00000.gguf", "a-1-of-2.gguf"):
        assert HubFile("o/r", name).parts() == (HubFile("o/r", name),)
