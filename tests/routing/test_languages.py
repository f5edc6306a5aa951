"""Plans and code are asked for in other languages than English, and in everyday words."""

from __future__ import annotations

import pytest

from llmstack.dialects import RequestView
from llmstack.routing import decide, languages
from llmstack.routing.signals import CODE, PLAN
from tests.routing.stacks import LADDERS


def chosen(text: str, *, tools: bool = False) -> str:
    view = RequestView("chat", last_user=text, user_turns=1, tokens=50, has_tools=tools)
    return decide(view, LADDERS["full"]).rule


PLANS = [
    "Wie würdest du die Mandanten trennen?",
    "Welche Vor- und Nachteile hat eine Outbox?",
    "Entwirf eine Architektur für den Import.",
    "Comment ferais-tu pour les droits ?",
    "Quels sont les avantages et inconvénients de chaque approche ?",
    "¿Cómo organizarías los entornos de prueba?",
    "Diseña una arquitectura para los pagos.",
    "Quais são os prós e contras de cada abordagem?",
    "Какие есть варианты кэширования?",
    "Спроектируй хранение счетов.",
    "帮我设计一个缓存方案",
    "这两种做法各有什么优缺点",
    "キャッシュの設計方針を相談したいです",
    "캐시 아키텍처의 장단점을 알려줘",
    "दोनों के फायदे नुकसान समझाओ",
    "What are the pros and cons of monorepos?",
    "Should I use Redis or Memcached?",
    "Best way to structure a project with 30 endpoints?",
    "We can run one A/B test. How would you decide?",
    "Give me a roadmap for offline support.",
]


@pytest.mark.parametrize("text", PLANS)
def test_a_plan_is_found_without_tools_and_never_with_them(text: str) -> None:
    assert chosen(text) == "words"
    assert chosen(text, tools=True) == "size"


@pytest.mark.parametrize(
    "text",
    [
        "Entwirf die Architektur und implementiere sie.",
        "Diseña el módulo y escribe el código.",
        "Conçois le cache et écris un test.",
        "Спроектируй парсер и напиши его.",  # noqa: RUF001
        "设计一个缓存并实现它",
        "キャッシュを設計して実装してください",
        "캐시를 설계하고 구현해줘",
        "Give me a roadmap and implement the first step.",
    ],
)
def test_a_plan_that_is_to_be_built_at_once_is_work_on_code(text: str) -> None:
    assert chosen(text) == "size"


@pytest.mark.parametrize(
    "text",
    [
        "Wie heißt die Annotation für asynchrone Methoden?",
        "In zwei Sätzen: was spricht gegen Optional?",
        "The plane lands at noon, parse its code",
        "c'est quoi la différence entre ref et reactive ?",
        "¿qué hace el flag -p de mkdir?",
        "что значит код 418",
        "планшет не виден в adb",
        "git 怎么撤销上一次提交",
        "cargo で依存の一覧を木で見るには？",  # noqa: RUF001
        "gradle cache kahan hota hai",
        "how do I reverse a string in Go?",
        "READ_ONCE vs volatile, one sentence",
    ],
)
def test_short_questions_are_no_plans(text: str) -> None:
    assert chosen(text) == "size"


def test_every_listed_word_is_found() -> None:
    """Also as the only thing that is said, so that no list holds what can never match."""
    for listed in (languages.PLAN_WORDS, languages.PLAN_PHRASES, languages.PLAN_SIGNS):
        assert [text for text in listed if not PLAN.find(text)] == []
    for listed in (languages.CODE_WORDS, languages.CODE_PHRASES, languages.CODE_SIGNS):
        assert [text for text in listed if not CODE.find(text)] == []


def test_no_word_asks_for_both() -> None:
    plans = (*languages.PLAN_WORDS, *languages.PLAN_PHRASES, *languages.PLAN_SIGNS)
    assert [text for text in plans if CODE.find(text)] == []
