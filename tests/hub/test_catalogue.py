"""The catalogue keeps to its own rules: a page for every claim, and numbers that add up."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from llmstack.config.grammars import parse_rope, parse_sampler
from llmstack.errors import DownloadError
from llmstack.hub.catalogue import CatalogueModel, Shape, catalogue, find_model, parse_catalogue
from llmstack.hub.catalogue_check import compare
from llmstack.hub.hub_file import HubFile
from llmstack.hub.remote_file import RemoteFile

TEXT = (files("llmstack.hub") / "data" / "catalogue.toml").read_text(encoding="utf-8")
DATA = tomllib.loads(TEXT)
#: What a model may say, and which of that needs a page of its own.
KEYS = {
    *("name", "repo", "file", "quant", "bytes", "roles", "least_context", "active", "licence"),
    *("sampler", "rope", "shape", "source"),
}
CLAIMS = {"bytes", "active", "licence", "sampler", "rope"}
#: GGUF keys that the formulae read.
NUMBERS = {
    *("vocab_size", "block_count", "context_length", "embedding_length", "feed_forward_length"),
    *("expert_count", "expert_used_count", "expert_feed_forward_length"),
    *("full_attention_interval", "attention.head_count", "attention.head_count_kv"),
    *("attention.key_length", "attention.value_length", "attention.sliding_window"),
    *("ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.inner_size"),
}


@pytest.mark.parametrize("table", DATA["model"], ids=lambda table: table["file"])
def test_every_claim_of_a_model_names_its_page(table: dict[str, Any]) -> None:
    """Repository and file always, and each of the other claims that is there."""
    assert set(table) <= KEYS
    assert set(table["source"]) == {"file", *(CLAIMS & set(table))}
    assert all(page.startswith(("https://", "pkg:pypi/")) for page in table["source"].values())
    assert table["roles"] == [] or {"bytes", "licence", "active", "least_context"} <= set(table)
    assert table["file"].endswith(".gguf")
    assert table["repo"].count("/") == 1


@pytest.mark.parametrize("name", DATA["shape"])
def test_every_shape_names_its_pages_and_has_the_numbers_that_matter(name: str) -> None:
    shape = next(model.shape for model in catalogue() if model in _with(name))
    assert shape.sources
    assert all(page.startswith(("https://", "pkg:pypi/")) for page in shape.sources)
    assert set(shape.numbers) <= NUMBERS
    assert {"block_count", "context_length", "embedding_length", "vocab_size"} <= set(shape.numbers)
    assert all(number > 0 for number in shape.numbers.values())


def _with(shape: str) -> list[CatalogueModel]:
    names = {table["file"] for table in DATA["model"] if table["shape"] == shape}
    return [model for model in catalogue() if model.file.name in names]


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.file.name)
def test_a_model_can_stand_in_models_ini(model: CatalogueModel) -> None:
    """Its sampler and rope are of models.ini's grammar, and its roles are those of profiles."""
    assert not parse_sampler(model.sampler)[1] if model.sampler else True
    if model.rope:
        rope = parse_rope(model.rope)
        assert rope.scale * rope.orig_ctx == model.most_context
    assert set(model.roles) <= {"fast", "agent", "plan"}
    assert model.least_context <= model.most_context


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.file.name)
def test_a_header_has_the_bytes_of_the_file(model: CatalogueModel) -> None:
    """And where experts can stay off the GPU, most of them are experts' but not all."""
    tensors = model.header(1 << 30).tensors
    assert sum(tensors.values()) == (model.size or 1 << 30)
    if model.mixture:
        experts = sum(size for name, size in tensors.items() if "_exps" in name)
        assert 0.8 < experts / sum(tensors.values()) < 0.99


def test_what_stays_on_the_gpu_is_never_counted_too_small() -> None:
    """Beside experts of 4 bits the rest may have 8: the GPU is to hold that."""
    numbers = {"block_count": 2, "embedding_length": 10, "expert_count": 4}
    shape = Shape("x", {**numbers, "expert_feed_forward_length": 10}, parameters=3000)
    model = CatalogueModel("m", HubFile("o/r", "m.gguf"), "Q4", 1500, shape)
    tensors = model.header().tensors
    assert sum(size for name, size in tensors.items() if "dense" in name) == 600 * 34 // 32


def test_a_file_is_found_by_its_repository_and_name() -> None:
    file = HubFile("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-MXFP4.gguf")
    found = find_model(file)
    assert found is not None
    assert found.size == 12_109_566_624
    assert find_model(HubFile("ggml-org/other", file.name)) is None


def test_the_hub_is_compared_part_by_part() -> None:
    """What a page rounds is no difference; another size is, and so is a file that is gone."""
    (model,) = (one for one in catalogue() if one.quant == "Q8_0")
    parts = [part.name for part in model.file.parts()]
    sizes = dict(zip(parts, (5_936_288, 49_772_613_984, 35_033_705_312), strict=True))

    def describe(file: HubFile) -> RemoteFile:
        if file.name not in sizes:
            raise DownloadError(f"{file.repo} has no file {file.name}")
        return RemoteFile(file, sizes[file.name], "etag", "commit", "")

    assert compare([model], describe)[0].problem == ""
    sizes[model.file.name] += 2 * 10**9
    assert compare([model], describe)[0].problem == "the catalogue says 84812255584 bytes"
    del sizes[model.file.name]
    assert "has no file" in compare([model], describe)[0].problem


def test_a_shape_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        parse_catalogue(TEXT.replace('shape = "qwen2.5-3b"', 'shape = "other"'))
