"""A page of ``llmstack top`` fits the terminal and shows nothing that the terminal acts upon."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from llmstack.cli.top_tables import Room
from llmstack.cli.top_view import frame
from llmstack.cli.top_words import count, cut, dollars, gigabytes, span, speed
from llmstack.client.overview import read_live, read_overview
from llmstack.client.watch import Seen
from llmstack.errors import DaemonError
from tests.cli.overviews import LIVE, OVERVIEW


def seen(overview: dict[str, Any] = OVERVIEW, *live: dict[str, Any], **more: Any) -> Seen:
    """What a stack like that looks like."""
    requests = tuple((read_live(row), 12.3) for row in live)
    return Seen("http://h:1", read_overview(overview), overview, requests, **more)


def page(what: Seen, width: int = 80, height: int | None = 24, **more: Any) -> list[str]:
    """The lines, as a terminal without colour gets them."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    console.print(frame(what, Room(width, height, **more)), soft_wrap=True)
    return out.getvalue().removesuffix("\n").split("\n")


def test_a_page_tells_models_memory_queue_sums_budgets_and_requests() -> None:
    lines = page(seen(OVERVIEW, LIVE, served={"code-smart": 65536.0}), keys="q quits")
    text = "\n".join(lines)
    assert lines[0].startswith("llmstack 0.9.0 · current · h:1 · up 2.0 h")
    assert lines[0].endswith("41.2 tok/s · q quits")
    smart = next(line for line in lines if line.startswith("code-smart  ")).split()
    assert smart == ["code-smart", "ready", "41.2", "1", "2", "28", "min", "65536", "8.1"]
    assert "16.0 of 32.0 GB" in text
    assert "█ code-smart 8.0  ▓ plan ~4.0  ░ other 4.0" in text
    assert "1 running, 2 waiting, loading plan" in text
    assert "123 requests, 4 failed; 4.5M tokens in, 87% cached; 120k out" in text
    assert "12 s in 5 swaps, 8 s reading again (12.0k tokens)" in text
    assert "$1.23" in text
    assert "$3.20 of $10.00 today" in text
    request = next(line for line in lines if "generating" in line).split()
    assert request == ["code-smart", "a1b2c3d4", "generating", "12", "s", "few", "tokens"]


def test_the_bar_is_shared_in_proportion() -> None:
    bar = next(line for line in page(seen()) if line.startswith("host"))
    assert [bar.count(sign) for sign in "█▓░·"] == [10, 5, 5, 20]


def test_busy_models_come_first_and_hosted_ones_last() -> None:
    names = ("code-smart ", "code-fast ", "code-ultra ")
    shown = [line.split()[0] for line in page(seen()) if line.startswith(names)]
    assert shown == ["code-smart", "code-fast", "code-ultra"]


def test_what_does_not_fit_is_counted() -> None:
    models = [{"id": f"m{number}", "state": "stopped"} for number in range(40)]
    lines = page(seen({**OVERVIEW, "models": models}), height=24)
    rows = sum(line.startswith("m") for line in lines)
    assert f"… {40 - rows} more" in lines
    assert len(lines) <= 24


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (40, 12), (20, 5), (1, 1)])
def test_a_page_fits_the_terminal(width: int, height: int) -> None:
    lines = page(seen(OVERVIEW, LIVE), width, height, keys="q quits")
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width


def test_60_columns_still_show_state_speed_memory_and_phase() -> None:
    lines = page(seen(OVERVIEW, LIVE), 60)
    smart = next(line for line in lines if line.startswith("code-smart  ")).split()
    assert smart == ["code-smart", "ready", "41.2", "1", "2", "28", "min", "8.1"]
    assert any("generating" in line and "few tokens" in line for line in lines)


def test_without_unicode_everything_is_ascii() -> None:
    models = [{"id": "modèle" * 20, "state": "ready"}]
    lines = page(seen({**OVERVIEW, "models": models}, LIVE), unicode=False)
    assert "\n".join(lines).isascii()


@pytest.mark.parametrize(
    "name",
    [
        "[red]alarm[/red]",
        "[link=http://evil]x[/link]",
        "\x1b[2Jgone",
        "a\r\nb\tc",
        "\x9b31m",
        "\u202egnp.exe",
        "\u2066x\u2069",
        "שלום עולם",
        "模型" * 60,
        "e\u0301" * 500,
        "a" * 100_000,
        "\ud800",
        ":smile:",
    ],
)
def test_a_hostile_name_is_text_on_one_line(name: str) -> None:
    """Wherever it stands: no markup, no control, no change of direction, no wider line."""
    overview = {
        **OVERVIEW,
        "version": name,
        "channel": name,
        "models": [{"id": name, "state": name, "provider": name}],
        "devices": [
            {"id": name, "total": 1e9, "used": 1e9, "models": [{"id": name, "bytes": 1e9}]}
        ],
        "queue": {"loading": [name]},
        "budgets": [{"tier": name, "period": name, "spent_usd": 1, "budget_usd": 1}],
    }
    live = dict.fromkeys(("id", "model", "req_path", "phase", "tier", "session", "reason"), name)
    what = seen(overview, live)
    for width in (60, 80, 120):
        lines = page(what, width)
        assert len(lines) <= 24
        assert max(map(cell_len, lines)) <= width
        assert all(letter.isprintable() for line in lines for letter in line)
    shown = name.split("]", maxsplit=1)[0]
    if name.isascii() and name.isprintable() and len(name) < 40:
        assert any(shown in line for line in lines), "it is shown as it is written"


TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)
NUMBERS = st.floats() | st.integers(-(10**30), 10**30)
MODELS = st.fixed_dictionaries(
    {"id": TEXTS, "state": TEXTS | st.sampled_from(["ready", "stopped"])},
    optional={"ttl_left": st.none() | NUMBERS, "memory": NUMBERS, "waiting": NUMBERS},
)
SHARES = st.fixed_dictionaries({"id": TEXTS, "bytes": NUMBERS, "estimated": st.booleans()})
DEVICES = st.fixed_dictionaries(
    {"id": TEXTS, "total": NUMBERS, "used": NUMBERS, "models": st.lists(SHARES, max_size=3)}
)
BUDGETS = st.fixed_dictionaries({"tier": TEXTS, "spent_usd": NUMBERS, "budget_usd": NUMBERS})
OVERVIEWS = st.fixed_dictionaries(
    {
        "version": TEXTS,
        "uptime_s": NUMBERS,
        "models": st.lists(MODELS, max_size=8),
        "devices": st.lists(DEVICES, max_size=2),
        "budgets": st.lists(BUDGETS, max_size=2),
        "today": st.fixed_dictionaries({"requests": NUMBERS, "cached_tokens": NUMBERS}),
    }
)
REQUESTS = st.fixed_dictionaries({"id": TEXTS, "model": TEXTS, "reason": TEXTS, "phase": TEXTS})
TROUBLE = st.none() | st.builds(DaemonError, TEXTS, why=TEXTS, fix=TEXTS)
ROOMS = st.builds(Room, st.integers(1, 130), st.none() | st.integers(1, 40), st.booleans())


@given(OVERVIEWS, st.lists(REQUESTS, max_size=8), TROUBLE, ROOMS)
def test_whatever_a_stack_tells_fits(
    overview: dict[str, Any], rows: list[dict[str, Any]], trouble: DaemonError | None, room: Room
) -> None:
    width, height = room.width, room.height
    lines = page(seen(overview, *rows, trouble=trouble), width, height, unicode=room.unicode)
    assert height is None or len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert all(letter.isprintable() for line in lines for letter in line)


def test_trouble_says_what_to_do_above_what_was_last_seen() -> None:
    trouble = DaemonError("no daemon runs for /x [red]", fix="Start it: llmstack start")
    lines = page(seen(trouble=trouble, silent_s=7.2))
    assert lines[0].endswith("as seen 7 s ago")
    assert lines[1] == "[!] no daemon runs for /x [red]"
    assert lines[2] == "    Start it: llmstack start"
    assert any(line.startswith("code-smart") for line in lines)
    assert not any("no request" in line for line in lines), "that is not known"


def test_trouble_before_anything_was_seen_is_a_page_too() -> None:
    trouble = DaemonError("nobody is there", fix="Start it: llmstack start")
    assert page(Seen(trouble=trouble))[0] == "[!] nobody is there"


def test_a_stack_without_models_says_what_to_do() -> None:
    assert any("name one in models.ini" in line for line in page(seen({"version": "1"})))


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {"models": 1}, {"models": [{"id": 3}]}, {"queue": []}, {"uptime_s": "1"}],
)
def test_what_is_no_overview_is_refused(data: object) -> None:
    with pytest.raises(DaemonError, match="no overview"):
        read_overview(data)


def test_numbers_are_short() -> None:
    assert [count(n) for n in (0, 9999, 12_345, 999_999, 4_500_000, float("nan"), -1, None)] == [
        "0",
        "9999",
        "12.3k",
        "1000k",
        "4.5M",
        "0",
        "0",
        "0",
    ]
    assert [span(n) for n in (0.4, 99, 100, 5400, 3 * 86400, float("inf"))] == [
        "0 s",
        "99 s",
        "2 min",
        "1.5 h",
        "3 d",
        "0 s",
    ]
    assert (gigabytes(8.1e9), dollars(1.5), speed(0), speed(123.4)) == ("8.1", "$1.50", "", "123")
    assert (cut("abc", 0), cut("模型", 3), cut("abc", 2)) == ("", "模…", "a…")
