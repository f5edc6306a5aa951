"""The last hour in charts, and every model's numbers: those of ``/metrics``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.e2e.stack import Stack
    from tests.ui.browser import Visitor

#: Two samples of a machine with two cores and a GPU, half a minute ago, as llmstack writes them.
SAMPLES = {
    "enabled": True,
    "sys_stats": [
        {
            "timestamp": f"2026-01-01T10:00:0{second}.5+00:00",
            "cpu_util_per_core": [10.0 * second, 30.0 * second],
            "mem_total_mb": 4096,
            "mem_used_mb": 1024,
            "swap_total_mb": 2048,
            "swap_used_mb": 512,
        }
        for second in (1, 2)
    ],
    "gpu_stats": [
        {
            "timestamp": "2026-01-01T10:00:01.5+00:00",
            "id": 0,
            "name": "Card <b>",
            "gpu_util_pct": 40,
            "mem_used_mb": 2048,
            "mem_total_mb": 8192,
            "temp_c": 61,
            "power_draw_w": 120,
        }
    ],
}


def test_a_models_numbers_are_those_of_the_metrics(visitor: Visitor, stack: Stack) -> None:
    for _ in range(2):
        assert stack.chat("code-smart", "hello", max_tokens=4).status == 200
    text = stack.request("GET", "/metrics").body.decode()
    told = re.search(r'llmstack_model_requests_total{model="code-smart",status="200"} (\d+)', text)
    assert told
    visitor.open("performance")
    row = visitor.page.get_by_role("row").filter(has_text="code-smart")
    expect(row.locator("td").nth(1)).to_have_text(told[1])
    before = int(told[1])
    assert stack.chat("code-smart", "hello", max_tokens=4).status == 200
    expect(row.locator("td").nth(1)).to_have_text(str(before + 1))


def test_the_machine_is_drawn_and_goes_on_being_drawn(visitor: Visitor) -> None:
    with visitor.page.expect_request("**/api/performance"):
        visitor.open("performance")
    for name in ("Processor", "Memory", "Tokens per second"):
        picture = visitor.page.get_by_role("img", name=re.compile(f"^{name}, .*latest"))
        expect(picture).to_be_visible()
    with visitor.page.expect_response(re.compile(r"/api/performance\?after=")) as told:
        pass
    assert told.value.ok, "the moment of the last sample is understood"


def test_samples_are_drawn_as_they_are_told(visitor: Visitor) -> None:
    def answer(route: Route) -> None:
        route.fulfill(body=json.dumps(SAMPLES), content_type="application/json")

    visitor.page.route("**/api/performance*", answer)
    visitor.open("performance")
    for label in (
        "All cores: latest 40 %, least 20 %, most 40 %; Busiest core: latest 60 %",
        "Memory: latest 1 GiB, least 1 GiB, most 1 GiB; Swap, of 2 GiB: latest 512 MiB",
        "Load: latest 40 %",
        "Memory: latest 2 GiB",
        "°C: latest 61, least 61, most 61; W: latest 120",
    ):
        picture = visitor.page.get_by_role("img", name=re.compile(re.escape(label)))
        expect(picture).to_be_visible()
    expect(visitor.page.get_by_role("heading", name="GPU 0 (Card <b>): load")).to_be_visible()


def test_a_machine_that_is_not_sampled_says_so(visitor: Visitor) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=503, body='{"enabled": false}', content_type="application/json")

    visitor.page.route("**/api/performance*", answer)
    visitor.open("performance")
    expect(visitor.page.get_by_text("samples are switched off")).to_be_visible()
    expect(visitor.page.get_by_role("heading", name="Processor")).to_be_hidden()
    expect(visitor.page.get_by_role("heading", name="Models")).to_be_visible()
    visitor.page.goto("about:blank")
    assert all("503" in problem for problem in visitor.problems)
    visitor.problems.clear()


def test_metrics_are_read_whatever_a_model_is_called(visitor: Visitor) -> None:
    """Quotes, braces, line breaks and backslashes in labels; unknown and infinite values."""
    visitor.open("nowhere")
    names = ['a"b', "a\\nb", "a\nb\\", "}{ 5", 'a,b="c"', "\u202ex", "__proto__", ""]
    escaped = [
        name.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for name in names
    ]
    lines = [f'some_total{{model="{name}",status="200"}} {at}' for at, name in enumerate(escaped)]
    text = "\n".join(
        ["# HELP some_total Of all.", *lines, "bare 1.5e3", "up +Inf", "no NaN", "?", ""]
    )
    script = """async (text) => {
      const { samples } = await import("/ui/lib/exposition.js");
      const told = samples(text);
      return told.map(({ name, labels, value }) => [name, labels.model ?? null, String(value)]);
    }"""
    assert visitor.page.evaluate(script, text) == [
        *(["some_total", name, str(at)] for at, name in enumerate(names)),
        ["bare", None, "1500"],
        ["up", None, "Infinity"],
        ["no", None, "NaN"],
    ]
