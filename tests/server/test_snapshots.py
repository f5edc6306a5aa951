"""The latest report of each model, and of bodies only as many and as much as is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from llmstack.server.context_headers import asks_for_bodies
from llmstack.server.snapshots import BODIES, LONGEST, MODELS, Snapshots

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_last_writer_wins_and_times_are_in_utc() -> None:
    kept = Snapshots(now=lambda: NOON)
    assert kept.latest("a") is None
    kept.keep("a", {"policy": "off"})
    kept.keep("a", {"policy": "always", "applied": True, "sent_tokens": 5})
    latest = kept.latest("a")
    assert latest is not None
    assert latest.told() == {
        "model": "a",
        "policy": "always",
        "applied": True,
        "updatedAt": "2026-01-01T12:00:00Z",
        "note": "",
        "originalBody": "",
        "optimizedBody": "",
        "report": {"policy": "always", "applied": True, "sent_tokens": 5},
    }


def test_a_time_in_another_zone_is_told_in_utc() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=2)))
    kept = Snapshots(now=lambda: here)
    kept.keep("a", {})
    latest = kept.latest("a")
    assert latest is not None
    assert latest.told()["updatedAt"] == "2026-01-01T12:00:00Z"


def test_bodies_are_empty_unless_all_or_this_one_are_to_be_kept() -> None:
    """B18: two copies of every prompt were kept whether or not anybody wanted them."""
    kept = Snapshots()
    kept.keep("a", {}, b"secret", b"short")
    kept.keep("b", {}, b"mine", b"\xff", asked=True)
    a, b = kept.latest("a"), kept.latest("b")
    assert a is not None
    assert b is not None
    assert (a.original, a.sent) == ("", "")
    assert (b.original, b.sent) == ("mine", "\ufffd")


def test_a_long_body_is_cut_visibly() -> None:
    kept = Snapshots(lambda: True)
    kept.keep("a", {}, b"x" * (LONGEST + 7), b"")
    latest = kept.latest("a")
    assert latest is not None
    assert latest.original == "x" * LONGEST + "\n[7 more bytes]"


def test_only_the_newest_bodies_and_models_are_remembered() -> None:
    kept = Snapshots(lambda: True)
    for number in range(MODELS + 1):
        kept.keep(f"m{number}", {"number": number}, b"body", b"sent")
    assert kept.latest("m0") is None
    with_bodies = [
        number
        for number in range(1, MODELS + 1)
        if (one := kept.latest(f"m{number}")) and one.original
    ]
    assert with_bodies == list(range(MODELS + 1 - BODIES, MODELS + 1))
    kept.keep(f"m{MODELS}", {}, None, None)
    assert len(kept._ring) == BODIES - 1, "what is replaced takes no place"
    kept.clear()
    assert kept.latest(f"m{MODELS}") is None


def test_a_client_asks_for_bodies_with_one_word() -> None:
    assert asks_for_bodies([(b"x-llmstack-context-bodies", b" Keep ")])
    assert not asks_for_bodies([(b"x-llmstack-context-bodies", b"no"), (b"x", b"keep")])
