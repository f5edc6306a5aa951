"""A stream of events, however the network cuts it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.ui.browser import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.e2e.stack import Stack

READ = """async (pieces) => {
  const { events } = await import("/ui/lib/sse.js");
  const stream = new ReadableStream({
    start(control) {
      for (const piece of pieces) control.enqueue(Uint8Array.from(piece));
      control.close();
    },
  });
  const found = [];
  for await (const data of events(new Response(stream))) found.push(data);
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    with Visitor(browser, stack.gateway) as visitor:
        visitor.open("playground")
        yield visitor.page


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_the_same_wherever_the_stream_is_cut(page: Page, end: str) -> None:
    lines = ["data: one", "", ": a comment", "data:two", "data:  lines €😀", "id: 7", "", ""]
    text = (end.join([*lines, "", "data", "data: cut off"])).encode()
    chance = random.Random(3)
    for size in (1, 2, 3, len(text)):
        cuts = sorted(chance.sample(range(1, len(text)), min(len(text) // size, len(text) - 1)))
        pieces = [list(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert page.evaluate(READ, pieces) == ["one", "two\n lines €😀", "cut off"]
