"""The page Logs."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.cli.swaps import swapping
from tests.ui.browser import Visitor
from tests.ui.swap_models import TALKER, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.cli.swaps import Swap
    from tests.e2e.stack import Stack

#: What ``ESC [ 1 ; 4 ; 95 m`` asks for.
BRIGHT = {"bold": True, "underline": True, "fore": 13}
#: Lines, and the pieces that are made of them.
LOOKS: tuple[tuple[str, list[Any]], ...] = (
    ("plain", [["plain", None]]),
    ("\x1b[31mred\x1b[0m x", [["red", {"fore": 1}], [" x", None]]),
    ("\x1b[1;4;95ma\x1b[22;24mb", [["a", BRIGHT], ["b", {"fore": 13}]]),
    ("\x1b[38;5;208ma\x1b[39mb", [["a", {"fore": [255, 135, 0]}], ["b", None]]),
    ("\x1b[48;2;1;2;3ma\x1b[49mb", [["a", {"back": [1, 2, 3]}], ["b", None]]),
    ("\x1b[38:2::9:8:7ma\x1b[38:5:9mb", [["a", {"fore": [9, 8, 7]}], ["b", {"fore": 9}]]),
    ("\x1b[38;5;300;1ma", [["a", {"bold": True}]]),
    ("\x1b[58;2;1;2;3;3ma", [["a", {"italic": True}]]),
    ("\x1b[ma\x1b[2K\x1b[10;5Hb\x1b(Bc\x1b]8;;http://x\x1b\\d\x1b]0;t\x07e", [["abcde", None]]),
    ("\x1b[?25la\x1b[>4;1mb\x9b31mc", [["ab", None], ["c", {"fore": 1}]]),
    ("cut\x1b[38;5", [["cut", None]]),
    ("\x00a\tb\x7f", [["\\x00a\tb\\x7f", None]]),
    ("", []),
)  # fmt: skip


@pytest.fixture
def reader(browser: Browser, odd: Swap) -> Iterator[Visitor]:
    """Somebody who reads the log of ``TALKER``."""
    say(odd, b"")
    with Visitor(browser, f"http://127.0.0.1:{odd.port}") as visitor:
        visitor.open(f"logs?model={TALKER}")
        expect(visitor.page.get_by_text("Live.")).to_be_visible()
        visitor.page.get_by_role("button", name="Clear").click()
        yield visitor


def lines(page: Page) -> Locator:
    return page.get_by_role("log").locator(".line:visible")


def call(page: Page, module: str, expression: str, *arguments: object) -> Any:
    """The value of an expression over the exports ``m`` of one of the page's modules."""
    script = f"async (given) => {{ const m = await import('/ui/{module}'); return {expression}; }}"
    return page.evaluate(script, list(arguments))


def test_escapes_become_looks_or_nothing(reader: Visitor) -> None:
    """ECMA-48 8.3.117, and xterm's colours beyond it."""
    expression = "given[0].map((line) => m.pieces(line).map((p) => [p.text, p.look]))"
    found = call(reader.page, "lib/ansi.js", expression, [line for line, _ in LOOKS])
    assert dict(zip((line for line, _ in LOOKS), found, strict=True)) == dict(LOOKS)


def test_a_line_of_escapes_alone_costs_little(reader: Visitor) -> None:
    hostile = "given[0].repeat(20000)"
    for piece in ("\x1b[31mx", "\x1b]", "\x1b[", "\x1bP;", "\x1b[1;"):
        took = call(
            reader.page,
            "lib/ansi.js",
            f"(() => {{ const t = performance.now(); const n = m.pieces({hostile}).length;"
            " return n > 201 ? Infinity : performance.now() - t; })()",
            piece,
        )
        assert took < 500


def test_lines_are_cut_and_joined_without_a_loss(reader: Visitor) -> None:
    """However they come: in pieces, without an end, ended in Windows' way."""
    expression = """(() => {
      const lines = new m.Lines(given[1]);
      for (const piece of given[0]) lines.add(piece);
      return [lines.kept.length, lines.dropped, lines.text()];
    })()"""

    def kept(pieces: list[str], most: int = 100) -> list[Any]:
        found: list[Any] = call(reader.page, "pages/logs-lines.js", expression, pieces, most)
        return found

    assert kept(["a\nb", "c\r\n", "\nd"]) == [3, 0, "a\nbc\n\nd\n"]
    long = "\N{GRINNING FACE}x" * 5000
    assert kept([long, "end\n", "y\n"])[2] == f"{long}end\ny\n"
    coloured = "\x1b[31mx" * 5000
    assert kept([coloured + "\n"])[2] == "x" * 5000 + "\n"
    count, dropped, text = kept([f"{number}\n" for number in range(1000)])
    assert (count + dropped, count <= 105) == (1000, True)
    assert text.endswith("998\n999\n")


def test_what_a_model_prints_is_followed_in_its_colours_and_never_parsed(
    reader: Visitor, odd: Swap
) -> None:
    page = reader.page
    say(odd, b"\x1b[31mred\x1b[0m \x1b[38;2;200;120;0mamber\x1b[0m \x1b[41mon red\x1b[0m\n")
    expect(lines(page)).to_have_text(["red amber on red"])
    red, amber, on_red = (lines(page).locator("span").nth(number) for number in range(3))
    expect(red).to_have_class("ansi-1")
    expect(amber).to_have_class("ansi-ink")
    assert amber.evaluate("(span) => span.style.getPropertyValue('--ink')") == "rgb(200 120 0)"
    expect(on_red).to_have_css("background-color", "rgb(205, 0, 0)")
    say(odd, b"<img src=x onerror=alert(1)><script>alert(1)</script>\x00\xff\n")
    last = lines(page).last
    expect(last).to_have_text("<img src=x onerror=alert(1)><script>alert(1)</script>\\x00\ufffd")
    say(odd, b"half a line")
    expect(lines(page).last).to_have_text("half a line")
    say(odd, b" and its end\n10%\r100%\n[ERROR] bad\n")
    expect(lines(page)).to_have_count(5)
    expect(lines(page).nth(2)).to_have_text("half a line and its end")
    expect(lines(page).nth(3)).to_have_text("100%")
    mark = lines(page).last.evaluate("(line) => getComputedStyle(line, '::before').content")
    assert "Error" in mark
    assert page.locator("main img, main script").count() == 0


def test_lines_are_filtered_by_text_case_and_pattern(reader: Visitor, odd: Swap) -> None:
    page = reader.page
    say(odd, b"Alpha 1\nalpha 22\nbeta \x1b[1m333\x1b[0m\n")
    expect(lines(page)).to_have_count(3)
    wanted = page.get_by_label("Show only lines with")
    wanted.fill("alpha")
    expect(lines(page)).to_have_text(["Alpha 1", "alpha 22"])
    page.get_by_label("Match case").check()
    expect(lines(page)).to_have_text(["alpha 22"])
    expect(page.get_by_text("1 of 3 lines.")).to_be_visible()
    page.get_by_label("Regular expression").check()
    wanted.fill(r"\s\d{3}$")
    expect(lines(page)).to_have_text(["beta 333"])
    wanted.fill("(")
    expect(page.get_by_role("alert")).to_contain_text("no regular expression")
    expect(wanted).to_have_attribute("aria-invalid", "true")
    expect(lines(page)).to_have_count(1)
    wanted.fill("")
    expect(lines(page)).to_have_count(3)


def test_following_ends_where_somebody_scrolls_up_and_goes_on_when_asked(
    reader: Visitor, odd: Swap
) -> None:
    page = reader.page
    log = page.get_by_role("log")
    at_end = "(log) => log.scrollHeight - log.scrollTop - log.clientHeight < 8"
    say(odd, b"".join(b"line %d\n" % number for number in range(200)))
    expect(lines(page).last).to_have_text("line 199")
    assert log.evaluate(at_end)
    log.hover()
    page.mouse.wheel(0, -600)
    go_on = page.get_by_role("button", name="Go on following")
    expect(go_on).to_be_visible()
    before = log.evaluate("(log) => log.scrollTop")
    say(odd, b"news\n")
    expect(lines(page).last).to_have_text("news")
    assert log.evaluate("(log) => log.scrollTop") == before
    go_on.click()
    expect(go_on).to_be_hidden()
    assert log.evaluate(at_end)


def test_a_paused_log_stands_still_and_nothing_is_lost(reader: Visitor, odd: Swap) -> None:
    page = reader.page
    say(odd, b"one\n")
    expect(lines(page)).to_have_text(["one"])
    page.get_by_role("button", name="Pause").click()
    say(odd, b"two\nthree\n")
    go_on = page.get_by_role("button", name="Continue (2 new)")
    expect(go_on).to_be_visible()
    expect(lines(page)).to_have_text(["one"])
    go_on.click()
    expect(lines(page)).to_have_text(["one", "two", "three"])


def test_what_is_kept_is_downloaded_as_plain_text(reader: Visitor, odd: Swap) -> None:
    page = reader.page
    long = "x" * 10_000
    say(odd, f"\x1b[32mgreen\x1b[0m\n{long}\nend\n".encode())
    expect(lines(page).last).to_have_text("end")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download").click()
    assert Path(saving.value.path()).read_text("utf-8") == f"green\n{long}\nend\n"
    assert saving.value.suggested_filename == f"llmstack-model_{TALKER}.log"
    page.get_by_role("button", name="Clear").click()
    expect(lines(page)).to_have_count(0)


def test_fifty_thousand_lines_leave_the_page_quick_and_its_memory_bounded(
    reader: Visitor, odd: Swap
) -> None:
    page = reader.page
    page.evaluate(
        """() => {
          window.longest = 0;
          let last = performance.now();
          const look = () => {
            const now = performance.now();
            window.longest = Math.max(window.longest, now - last);
            last = now;
            setTimeout(look, 0);
          };
          look();
        }"""
    )
    for part in range(10):
        say(
            odd,
            b"".join(
                b"line %d \x1b[33mof many\x1b[0m\n" % n
                for n in range(part * 5000, part * 5000 + 5000)
            ),
        )
    say(odd, b"the end\n")
    expect(lines(page).last).to_have_text("the end")
    expect(page.get_by_text(re.compile(r"^[\d,]+ older lines were dropped"))).to_be_visible()
    shown = page.get_by_role("log").locator(".line").count()
    assert shown <= 10_900
    assert page.evaluate("window.longest") < 2000  # milliseconds, on a busy machine
    page.get_by_label("Show only lines with").fill("line 49999")
    expect(lines(page)).to_have_count(1)


def test_the_gateway_and_the_engine_have_logs_too(visitor: Visitor, stack: Stack) -> None:
    visitor.open("logs")
    page = visitor.page
    log = page.get_by_role("log")
    expect(log).to_contain_text("serving on")
    assert stack.chat("code-fast", "hello", max_tokens=1).status == 200
    expect(log).to_contain_text("code-fast 200")
    page.get_by_label("Log of").select_option("Engine: all models")
    expect(log).to_contain_text("srv")
    page.reload()
    expect(page.get_by_label("Log of")).to_have_value("upstream")


def test_what_clients_put_into_the_log_is_text(reader: Visitor, odd: Swap) -> None:
    reader.open("logs?source=proxy")
    agent = "<img src=y onerror=alert(2)>"
    request = urllib.request.Request(f"{reader.base}/running", headers={"user-agent": agent})
    with urllib.request.urlopen(request, timeout=30):
        expect(lines(reader.page).filter(has_text=agent)).to_have_count(1)
    assert reader.page.locator("main img").count() == 0


def test_a_log_goes_on_after_the_daemon_was_away(browser: Browser, tmp_path: Path) -> None:
    text = "models: {}\n"
    with swapping(tmp_path, text) as swap:
        visitor = Visitor(browser, f"http://127.0.0.1:{swap.port}")
        visitor.open("logs")
        page = visitor.page
        expect(page.get_by_role("log")).to_contain_text("/ui/logs")
    expect(page.get_by_text("Not connected, trying again.")).to_be_visible()
    with swapping(tmp_path, text, address=f"127.0.0.1:{swap.port}"):
        expect(page.get_by_text("Live.")).to_be_visible()
        expect(page.get_by_role("log")).to_contain_text("lines in between may be missing")
        visitor.problems.clear()  # the browser tells of every connection that was refused
        with visitor:
            pass
