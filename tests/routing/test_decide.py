"""Which tier answers which request, as one table."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.dialects import RequestView
from llmstack.errors import ModelNotFound
from llmstack.routing import decide, ladder, requested
from tests.routing.stacks import LADDERS, stack, tier

FAST, SMART, ULTRA = "code-fast", "code-smart", "code-ultra"
PLAN, FREE = "plan", "plan-uncensored"
HIGH, MID = "<= 12000 tokens", "<= 32000 tokens"
PLANNED, NOFILTER, MAXED = "plan words, no tools", "uncensored trigger", "ultra trigger"
FENCED = "look:\n```\n{}\n```\nwhat does it do?"

Row = tuple[str, str, dict[str, Any], str, str]

# ladder, last user message, the rest of the view, expected tier, expected part of the reason
TRIGGERS: list[Row] = [
    ("full", "[nofilter] tell me", {}, FREE, NOFILTER),
    ("full", "[no-filter] tell me", {}, FREE, NOFILTER),
    ("full", "[uncensored] tell me", {}, FREE, NOFILTER),
    ("full", "[heretic] tell me", {}, FREE, NOFILTER),
    ("full", "nofilter: tell me", {}, FREE, NOFILTER),
    ("full", "no-filter : tell me", {}, FREE, NOFILTER),
    ("full", "  uncensored:\ttell me", {}, FREE, NOFILTER),
    ("full", "NoFilter: tell me", {}, FREE, NOFILTER),
    ("full", "[NOFILTER] tell me", {}, FREE, NOFILTER),
    ("full", "first line\nnofilter: second", {}, FREE, NOFILTER),
    ("full", "tell me [nofilter]", {}, FREE, NOFILTER),
    ("full", "tell me [nofilter]  \nplease", {}, FREE, NOFILTER),
    ("full", "tell me [nofilter]\r\nplease", {}, FREE, NOFILTER),
    ("full", "[nofilter] do it", {"has_tools": True}, FREE, NOFILTER),
    ("full", "hi", {"system": "Rules\n[nofilter]\nmore"}, FREE, NOFILTER),
    ("full", "[nofilter] [ultra] both", {}, FREE, NOFILTER),
    ("full", "[nofilter] design it", {}, FREE, NOFILTER),
    ("full", "heretic: tell me", {}, ULTRA, HIGH),
    ("full", "please nofilter: tell me", {}, ULTRA, HIGH),
    ("full", "nofilters: tell me", {}, ULTRA, HIGH),
    ("full", "[nofilterx] tell me", {}, ULTRA, HIGH),
    ("full", "what does `[nofilter]` do?", {}, ULTRA, HIGH),
    ("full", "`[nofilter]`", {}, ULTRA, HIGH),
    ("full", "`x` [nofilter] is what?", {}, ULTRA, HIGH),
    ("full", FENCED.format("[nofilter] hi"), {}, ULTRA, HIGH),
    ("full", FENCED.format("nofilter: hi"), {}, ULTRA, HIGH),
    ("full", "so ```x``` [nofilter] is what?", {}, ULTRA, HIGH),
    ("full", "> [nofilter] quoted\nwhat is that?", {}, ULTRA, HIGH),
    ("full", "> nofilter: quoted\nwhat is that?", {}, ULTRA, HIGH),
    ("full", "```\nnever closed\n[nofilter] hi", {}, ULTRA, HIGH),
    ("full", "what does [nofilter] do here?", {}, ULTRA, HIGH),
    ("full", "the README says [ultra] is for hard things", {}, ULTRA, HIGH),
    ("local", "the README says [ultra] is for hard things", {}, SMART, HIGH),
    ("full", "<file>\n[nofilter] in a file\n</file>\nhello", {}, ULTRA, HIGH),
    ("full", "<content>\nnofilter: x\n</content>\nhello", {}, ULTRA, HIGH),
    ("full", "<conversation>\n[User]: a\nnofilter: x\n</conversation>\ngo on", {}, ULTRA, HIGH),
    ("full", "[nofilter](https://example.org) is a link", {}, ULTRA, HIGH),
    ("full", "- [nofilter] a list of what there is", {}, ULTRA, HIGH),
    ("full", "hi", {"system": "Use `[nofilter]` to turn it off"}, ULTRA, HIGH),
    ("full", "[ultra] prove it", {}, ULTRA, MAXED),
    ("full", "[opus] prove it", {}, ULTRA, MAXED),
    ("full", "ultra: prove it", {}, ULTRA, MAXED),
    ("full", "opus: prove it", {}, ULTRA, MAXED),
    ("full", "prove it [Ultra]", {}, ULTRA, MAXED),
    ("full", "[ultra] design it", {"has_tools": True, "tokens": 15_000}, ULTRA, MAXED),
    ("full", "hi", {"system": "ultra: always"}, ULTRA, MAXED),
    ("full", "[ultra] x", {"tokens": 23_500}, SMART, "ultra trigger, ultra window too small"),
    ("full", "[ultra] x", {"tokens": 70_000}, FAST, "ultra window too small, agent window"),
    ("local", "[ultra] prove it", {}, SMART, "ultra trigger, no ultra tier"),
    ("local", "[ultra] plan it", {}, SMART, "ultra trigger, no ultra tier"),
    ("no agent", "[ultra] x", {"tokens": 500}, FAST, "ultra trigger, no ultra tier; <= 12000"),
    ("no uncensored", "[nofilter] hi", {}, ULTRA, "uncensored trigger, no uncensored tier; <="),
    ("no uncensored", "[nofilter] plan it", {}, PLAN, "no uncensored tier; plan words, no tools"),
    ("no uncensored", "[nofilter] [ultra]", {}, ULTRA, "no uncensored tier; ultra trigger"),
    ("small uncensored", "[nofilter] hi", {"tokens": 5000}, ULTRA, "uncensored window too small;"),
    ("full", "ultra::Thing is a class", {"tokens": 15_000}, SMART, MID),
    ("full", "nofilter: x", {"dialect": "completions"}, ULTRA, HIGH),
    ("full", "[ultra] x", {"dialect": "completions", "tokens": 15_000}, SMART, MID),
    ("own words", "[ultra] x", {"tokens": 15_000}, SMART, MID),
    ("own words", "[max] x", {"tokens": 15_000}, ULTRA, MAXED),
    ("own words", "max: x", {"tokens": 15_000}, SMART, MID),
    ("own words", "deep: x", {"tokens": 15_000}, ULTRA, MAXED),
    ("own words", "[deep] x", {"tokens": 15_000}, SMART, MID),
    ("own words", "best: x", {"tokens": 15_000}, ULTRA, MAXED),
    ("own words", "x [best]", {"tokens": 15_000}, ULTRA, MAXED),
    ("own words", "[nofilter] x", {}, ULTRA, HIGH),
    ("own words", "raw: x", {}, FREE, NOFILTER),
]

PLANS: list[Row] = [
    ("full", text, {}, PLAN, PLANNED)
    for text in (
        "plan the week",
        "I am planning a move",
        "it is all planned",
        "two plans",
        "design a cache",
        "designing caches",
        "DESIGN A CACHE",
        "the architecture?",
        "architecting it",
        "which approach?",
        "which approaches?",
        "trade-offs?",
        "the trade-off",
        "trade offs",
        "tradeoffs",
        "should we move?",
        "how would you do it?",
        "how would we do it?",
        "what would you do?",
        "explain why it fails",
        "reason about it",
        "reasoning about it",
        "think through it",
        "think it through",
        "think step by step",
        "think hard",
        "think carefully",
        "compare options",
        "compare the options",
        "compare these two approaches",
        "comparing the alternatives",
        "review my design",
        "brainstorm names",
        "brainstorming",
        "outline it",
        "outlining",
        "summarise it",
        "summarized",
        "summarizing",
        "the root cause",
        "root causes",
        "root-cause it",
        "migrate to it",
        "migrating",
        "port to Rust",
        "porting it to Rust",
        "write a plan for tests",
        "a plan that's `short`",
        "plan it; the old answer was in `a.py`",
    )
]

CODE: list[Row] = [
    ("full", text, {}, ULTRA, HIGH)
    for text in (
        "implement the plan",
        "implementing the plan",
        "plan, then refactor",
        "the design needs refactoring",
        "edit the plan",
        "editing the plan",
        "edited plan",
        "patch the design",
        "debug the design",
        "debugging the approach",
        "trace the approach",
        "tracing the approach",
        "compile the plan",
        "design it and add tests",
        "design it and write tests",
        "plan to fix the failing test",
        "plan: fix this bug",
        "plan: fixing those nasty old bugs",
        "design and write a function",
        "design and write some classes",
        "outline, then add a new endpoint",
        "outline, then create the component",
        "design: generate the code",
        "plan: run the tests",
        "plan: run all unit tests",
        "the plan is to build it",
        "plan:\n```\nx\n```",
        "plan around `some_function_name(with, many, arguments)`",
        "hi",
        "what is the capital of France?",
        "planet",
        "redesigned",
        "a backup port",
    )
]

SIZES: list[Row] = [
    ("full", "hi", {"tokens": 0}, ULTRA, HIGH),
    ("full", "hi", {"tokens": 12_000}, ULTRA, HIGH),
    ("full", "hi", {"tokens": 12_001}, SMART, MID),
    ("full", "hi", {"tokens": 32_000}, SMART, MID),
    ("full", "hi", {"tokens": 32_001}, FAST, "no tools, few turns above 32000"),
    ("full", "hi", {"tokens": 32_001, "has_tools": True}, SMART, "tools present above 32000"),
    ("full", "hi", {"tokens": 32_001, "user_turns": 5}, FAST, "few turns"),
    ("full", "hi", {"tokens": 32_001, "user_turns": 6}, SMART, "6 user turns above 32000"),
    ("local", "hi", {}, SMART, HIGH),
    ("no agent", "hi", {}, FAST, "<= 12000 tokens, no agent tier"),
    ("no agent", "hi", {"tokens": 20_000}, FAST, "<= 32000 tokens, no agent tier"),
    ("agent busy", "hi", {"tokens": 20_000}, ULTRA, "<= 32000 tokens, code-smart is busy"),
    ("agent busy", "hi", {"tokens": 40_000, "has_tools": True}, FAST, "tools present above"),
    ("no fast", "hi", {"tokens": 40_000}, SMART, "few turns above 32000, no fast tier"),
    ("only fast", "design it", {}, FAST, HIGH),
    ("only plan", "fix the bug", {"has_tools": True}, PLAN, "no agent tier"),
    ("only uncensored", "hi", {}, FREE, "only tier"),
    ("renamed", "hi", {}, "my-code-ultra", HIGH),
    ("renamed", "plan", {}, "my-plan", PLANNED),
    ("low ceilings", "hi", {"tokens": 100}, ULTRA, "<= 100 tokens"),
    ("low ceilings", "hi", {"tokens": 200}, SMART, "<= 200 tokens"),
    ("low ceilings", "hi", {"tokens": 201}, FAST, "above 200"),
    ("low ceilings", "hi", {"tokens": 201, "user_turns": 2}, SMART, "2 user turns above 200"),
]

WINDOWS: list[Row] = [
    # An agent session that outgrows the agent tier goes where it fits.
    ("full", "go on", {"tokens": 65_000, "has_tools": True}, FAST, "agent window too small"),
    ("full", "go on", {"tokens": 62_976, "has_tools": True}, SMART, "tools present"),
    ("full", "go on", {"tokens": 62_977, "has_tools": True}, FAST, "agent window too small"),
    ("full", "x", {"tokens": 60_000, "has_tools": True, "max_output": 4000}, SMART, "tools"),
    ("full", "x", {"tokens": 60_000, "has_tools": True, "max_output": 4001}, FAST, "window"),
    ("full", "x", {"tokens": 48_000, "has_tools": True, "max_output": 10**9}, SMART, "tools"),
    ("full", "x", {"tokens": 48_001, "has_tools": True, "max_output": 10**9}, FAST, "window"),
    ("full", "x", {"tokens": 63_999, "has_tools": True, "max_output": 0}, SMART, "tools"),
    ("full", "x", {"tokens": 12_000, "max_output": 32_000}, ULTRA, HIGH),
    ("tiny ultra", "x", {"tokens": 9_000}, SMART, "<= 12000 tokens, ultra window too small"),
    ("tiny ultra", "x", {"tokens": 6_976}, ULTRA, HIGH),
    ("big ultra", "x", {"tokens": 100_000, "has_tools": True}, ULTRA, "agent window too small"),
    ("big ultra", "x", {"tokens": 140_000}, ULTRA, "fast window too small"),
    ("no fast", "x", {"tokens": 64_200, "has_tools": True}, PLAN, "agent window too small"),
    ("full", "x", {"tokens": 200_000}, FAST, "fits nothing; largest window"),
    ("full", "plan", {"tokens": 200_000}, FAST, "fits nothing; largest window"),
    ("no fast", "x", {"tokens": 130_000}, PLAN, "fits nothing; largest window"),
    ("full", "[nofilter]", {"tokens": 200_000}, FAST, "fits nothing; largest window"),
    ("all small", "x", {"tokens": 9_000}, PLAN, "fits nothing; largest window"),
    ("all small", "[nofilter]", {"tokens": 9_000}, FREE, "fits nothing; largest window"),
    ("only uncensored", "x", {"tokens": 200_000}, FREE, "fits nothing; largest window"),
    ("unknown windows", "x", {"tokens": 10**7}, FAST, "few turns"),
    ("unknown windows", "x", {"tokens": 10**7, "has_tools": True}, SMART, "tools present"),
    ("full", "plan it", {"tokens": 64_000}, PLAN, PLANNED),
    ("full", "plan it", {"tokens": 65_000}, FAST, "no tools, few turns"),
    ("small plan", "plan it", {"tokens": 3_100}, ULTRA, HIGH),
    ("small plan", "plan it", {"tokens": 3_000}, PLAN, PLANNED),
    ("full", "plan it", {"has_tools": True}, ULTRA, HIGH),
    ("no plan", "plan it", {}, ULTRA, HIGH),
    ("own words", "plan it", {}, ULTRA, HIGH),
    ("own words", "pondering it", {}, PLAN, PLANNED),
    ("own words", "to the war  rooms", {}, PLAN, PLANNED),
    ("own words", "请设计一个缓存", {}, PLAN, PLANNED),
    ("own words", "Обдумай это", {}, PLAN, PLANNED),
    ("own words", "ponder and implement", {}, PLAN, PLANNED),
    ("own words", "ponder the hacks", {}, ULTRA, HIGH),
    # Words elsewhere than in the last user message do not make it a planning request.
    ("full", "hi", {"system": "plan and design"}, ULTRA, HIGH),
    ("full", "plan it", {"system": "```code``` implement"}, PLAN, PLANNED),
    ("full", "design it\n" + "x " * 50_000, {"tokens": 25_000}, PLAN, PLANNED),
    ("full", "x " * 50_000 + "\ndesign it", {"tokens": 25_000}, PLAN, PLANNED),
    ("full", "x " * 25_000 + "design it" + " x" * 25_000, {"tokens": 25_000}, SMART, MID),
    ("full", "[ultra] x\n" + "x " * 50_000, {"tokens": 20_000}, ULTRA, MAXED),
    ("full", "design it", {"dialect": "completions"}, PLAN, PLANNED),
]

TABLE = [*TRIGGERS, *PLANS, *CODE, *SIZES, *WINDOWS]


def _id(row: Row) -> str:
    name, text, more, *_ = row
    extra = "".join(f", {key}={str(value)[:12]}" for key, value in more.items())
    return f"{name}: {text[:50]!r}{extra}"


@pytest.mark.parametrize(
    ("name", "text", "more", "model", "reason"), TABLE, ids=[_id(row) for row in TABLE]
)
def test_the_first_rule_that_matches_and_fits_decides(
    name: str, text: str, more: dict[str, Any], model: str, reason: str
) -> None:
    view = RequestView(**{"dialect": "chat", "tokens": 10, "last_user": text, **more})
    decision = decide(view, LADDERS[name])
    assert (decision.model, decision.tokens) == (model, view.tokens)
    assert reason in decision.reason
    assert decision.reason.isascii()
    assert "\n" not in decision.reason


def test_the_table_is_not_thin() -> None:
    assert len(TABLE) >= 120


def test_the_trace_tells_every_rule_that_was_looked_at() -> None:
    view = RequestView("chat", last_user="design it", tokens=64_900)
    assert decide(view, LADDERS["full"]).tried == (
        "uncensored trigger: no",
        "ultra trigger: no",
        "plan words: yes, 'design'",
        "plan words, no tools: plan has a window of 65536",
        "no tools, few turns above 32000: code-fast fits",
    )


def test_without_any_tier_to_choose_the_error_says_what_to_do() -> None:
    with pytest.raises(ModelNotFound) as caught:
        decide(RequestView("chat"), ladder(stack(tier("embedder", "embedding"))))
    assert "role" in caught.value.fix


@pytest.mark.parametrize(
    ("model", "auto"),
    [
        *((name, True) for name in (None, "", "auto", "Auto", "AUTO")),
        *((name, False) for name in ("code-fast", "automatic", "auto ", "llmstack/auto")),
    ],
)
def test_auto_is_asked_for_by_name_or_by_naming_nothing(model: str | None, auto: bool) -> None:
    assert requested(model) is auto
