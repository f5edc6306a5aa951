"""Charts hold whatever they are given."""

from __future__ import annotations

import json
import math
import random
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.ui.browser import Visitor

#: An address where no page draws.
NOWHERE = "nowhere"

#: Shows each of several sets of lines in one chart, and tells what was drawn.
DRAW = """async (sets) => {
  const { chart } = await import("/ui/lib/chart.js");
  const revived = (text) => JSON.parse(text, (_, value) =>
    ({ "NaN": NaN, "Infinity": Infinity, "-Infinity": -Infinity })[value] ?? value);
  const one = chart({ label: "Things", span: 60 });
  document.querySelector("main").replaceChildren(one.element);
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const drawn = [];
  for (const text of sets) {
    one.show(revived(text));
    const picture = one.element.querySelector(".chart-picture");
    drawn.push({
      label: picture.getAttribute("aria-label"),
      box: picture.getAttribute("viewBox"),
      markup: new XMLSerializer().serializeToString(one.element),
      paths: [...picture.querySelectorAll("path.line")].map((path) => path.getAttribute("d")),
      dots: picture.querySelectorAll("circle").length,
      ticks: [...picture.querySelectorAll("text[text-anchor=end]")].map((text) => text.textContent),
    });
  }
  return drawn;
}"""

AWKWARD = ["NaN", "Infinity", "-Infinity", None, "", 0, -1, 1e-300, 1e300, 5, 5, 7.25, "text", True]


def draw(page: Page, *sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    drawn: list[dict[str, Any]] = page.evaluate(DRAW, [json.dumps(one) for one in sets])
    return drawn


def line(*points: tuple[Any, Any], name: str = "one") -> dict[str, Any]:
    return {"name": name, "points": points, "area": True}


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.e+-]+),(-?[\d.e+-]+)", path)]


def test_whatever_the_numbers_are_the_drawing_is_sound(visitor: Visitor) -> None:
    """No NaN, nothing outside of the box, and ticks that rise, for a few hundred sets of lines."""
    chance = random.Random(7)
    sets: list[list[dict[str, Any]]] = [[], [line()], [line((1, 1))], [line((1, None), (2, "NaN"))]]
    for _ in range(300):
        lines = []
        for number in range(chance.randint(1, 8)):
            start = chance.choice([0, 1.5, 1.7e9, -5])
            size = chance.choice([1, 1e3, 1e12, 1e-6])
            values = [
                chance.choice(AWKWARD) if chance.random() < 0.2 else chance.uniform(-size, size)
                for _ in range(chance.choice([0, 1, 2, 3, 50]))
            ]
            step = chance.choice([0, 1e-3, 1, 5, 1e5])
            points = [(start + step * index, value) for index, value in enumerate(values)]
            if chance.random() < 0.2:
                chance.shuffle(points)
            lines.append(line(*points, name=chance.choice(["a", "<b>", "", str(number)])))
        sets.append(lines)
    visitor.open(NOWHERE)
    for lines, drawn in zip(sets, draw(visitor.page, *sets), strict=True):
        assert not re.search(r"NaN|Infinity|undefined|\[object", drawn["markup"]), lines
        _, _, width, height = map(float, drawn["box"].split())
        for path in drawn["paths"]:
            for x, y in coordinates(path):
                assert 0 <= x <= width, lines
                assert 0 <= y <= height, lines
        assert 2 <= len(drawn["ticks"]) <= 10


def test_an_empty_chart_says_so(visitor: Visitor) -> None:
    visitor.open(NOWHERE)
    (drawn,) = draw(visitor.page, [line()])
    assert drawn["label"] == "Things. No numbers yet."
    expect(visitor.page.get_by_text("No numbers yet")).to_be_visible()


def test_one_sample_is_a_dot_and_a_missing_one_a_gap(visitor: Visitor) -> None:
    visitor.open(NOWHERE)
    alone = [line((10, 4))]
    missing = [line((1, 1), (2, 2), (3, None), (4, 4), (5, 5))]
    away = [line(*((second, 1) for second in (1, 2, 3, 4, 30, 31, 32)))]
    whole = [line(*((second, 1) for second in range(8)))]
    one, two, three, four = draw(visitor.page, alone, missing, away, whole)
    assert (one["dots"], one["paths"]) == (1, [])
    assert [len(coordinates(path)) for path in two["paths"]] == [2, 2]
    assert [len(coordinates(path)) for path in three["paths"]] == [4, 3]
    assert [len(coordinates(path)) for path in four["paths"]] == [8]


def test_the_label_tells_the_latest_the_least_and_the_most(visitor: Visitor) -> None:
    visitor.open(NOWHERE)
    (drawn,) = draw(visitor.page, [line((1, 3), (2, -4), (3, 12), (4, 7))])
    assert "one: latest 7, least -4, most 12" in drawn["label"]


def test_single_moments_are_read_by_keyboard_by_pointer_and_as_a_table(visitor: Visitor) -> None:
    visitor.open(NOWHERE)
    page = visitor.page
    draw(page, [line((1, 10), (2, 20), (3, 30))])
    picture, readout = page.get_by_role("img", name="Things"), page.locator(".chart-readout")
    expect(readout).to_have_text("Latest: 30")
    picture.press("ArrowLeft")
    expect(readout).to_have_text(re.compile(r"^\d\d:\d\d:03: 30$"))
    picture.press("ArrowLeft")
    expect(readout).to_have_text(re.compile(r":02: 20$"))
    picture.press("Home")
    expect(readout).to_have_text(re.compile(r":01: 10$"))
    expect(page.locator(".chart-head")).to_have_attribute("aria-live", "polite")
    picture.press("Escape")
    expect(readout).to_have_text("Latest: 30")
    expect(page.locator(".chart-head")).to_have_attribute("aria-live", "off")
    box = picture.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + box["height"] / 2)
    expect(readout).to_have_text(re.compile(r":03: 30$"))
    page.get_by_text("Numbers of Things").press("Enter")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("30")


@pytest.mark.parametrize("base", [2, 10])
def test_ticks_are_few_and_hold_everything_between_them(visitor: Visitor, base: int) -> None:
    visitor.open(NOWHERE)
    chance = random.Random(base)
    spans = [(0, 1), (0, 0.1), (-3, 9), (0, 1e15), (-1e15, 1e15), (0, 1e-9), (0, 99.99), (0, 3)]
    spans += [(0, 10 ** chance.uniform(-6, 14)) for _ in range(200)]
    spans += [(-(10 ** chance.uniform(-6, 14)), 10 ** chance.uniform(-6, 14)) for _ in range(200)]
    script = """async ([spans, base]) => {
      const { ticks } = await import("/ui/lib/scale.js");
      return spans.map(([low, high]) => ticks(low, high, { base }));
    }"""
    for (low, high), found in zip(spans, visitor.page.evaluate(script, [spans, base]), strict=True):
        steps = [later - earlier for earlier, later in pairwise(found)]
        near = (high - low) * 1e-3
        assert found[0] <= low + near, (low, high)
        assert found[-1] >= high - near
        assert 2 <= len(found) <= 8
        assert all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)
