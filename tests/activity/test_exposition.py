"""The text is Prometheus' format, to the escape."""

from __future__ import annotations

from llmstack.activity.exposition import Family, Histogram, number, render


def test_a_family_is_its_help_its_type_and_its_lines() -> None:
    family = Family("a_total", "counter", 'What "it"\nis\\.')
    family.add(3.0)
    family.add(0.5, (("x", 'q"u\\o\nte'), ("y", "é")))
    family.add(None, (("x", "unknown"),))
    assert render([family, Family("empty", "gauge", "")]).decode() == (
        '# HELP a_total What "it"\\nis\\\\.\n'
        "# TYPE a_total counter\n"
        "a_total 3\n"
        'a_total{x="q\\"u\\\\o\\nte",y="é"} 0.5\n'
    )


def test_nothing_is_nothing() -> None:
    assert render([]) == b""


def test_histograms_are_cumulative() -> None:
    histogram = Histogram((0.1, 1))
    for value in (0.05, 0.1, 0.5, 7):
        histogram.observe(value)
    family = Family("h", "histogram", "H.", list(histogram.samples((("m", "x"),))))
    assert render([family]).decode().splitlines()[2:] == [
        'h_bucket{m="x",le="0.1"} 2',
        'h_bucket{m="x",le="1"} 3',
        'h_bucket{m="x",le="+Inf"} 4',
        'h_sum{m="x"} 7.65',
        'h_count{m="x"} 4',
    ]


def test_numbers() -> None:
    values = [1.0, 1e6, 25769803776, 0.1, float("inf"), float("-inf"), float("nan")]
    shown = ["1", "1000000", "25769803776", "0.1", "+Inf", "-Inf", "NaN"]
    assert [number(value) for value in values] == shown
