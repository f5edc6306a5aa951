"""A real stack with two small models that take turns, and headless Chromium to look at it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.hub.demo_model import ensure_demo_model
from tests.e2e.conftest import CACHE, REPOSITORY
from tests.e2e.stack import Stack, models_ini
from tests.ui.browser import Visitor, launched
from tests.ui.swap_models import odd_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.cli.swaps import Swap

HERE = Path(__file__).parent

#: Where the pages' pictures are left, for whoever wants to see what was tested.
SCREENSHOTS = REPOSITORY / "build" / "screenshots"


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


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """``code-smart`` answers a few phrases and calls tools, ``code-fast`` writes long and slowly.

    ``plan`` is the model of ``code-fast`` again; it and ``code-smart`` take turns, while
    ``code-fast`` stays. For all tests that neither stop the daemon nor change what is configured
    without setting it back.
    """
    tiny = REPOSITORY / "tests" / "models" / "tiny_chat" / "tiny-chat.gguf"
    small = ensure_demo_model(CACHE / "llmstack", lambda _: None)
    tiers = {
        "code-smart": {"role": "agent", "path": str(tiny), "ctx_size": "4096"},
        "code-fast": {"role": "fast", "path": str(small), "ctx_size": "4096"},
        "plan": {"role": "plan", "path": str(small), "ctx_size": "4096"},
    }
    with Stack(tmp_path_factory.mktemp("ui"), models_ini(tiers, capture_buffer="16")) as stack:
        stack.start()
        yield stack


@pytest.fixture(scope="package")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swap]:
    """``llmstack swap`` with names that no page may stumble over, and a model that fails."""
    with odd_models(tmp_path_factory.mktemp("odd")) as swap:
        yield swap


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window: Debian's, or another one that is on PATH."""
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: CI installs it")
        pytest.skip("no Chromium on PATH")
    with launched(program) as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """Somebody who looks at ``stack``. Whatever the browser complains of fails the test."""
    with Visitor(browser, stack.gateway) as visitor:
        yield visitor
