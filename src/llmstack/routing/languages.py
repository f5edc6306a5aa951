"""Signal words of other languages than English, beside those of ``signals``.

Words that are another word in English or in code ("plane", "plan" of a schedule) are left out:
what is missed costs a little quality, what is wrongly found moves models. Forms are written out;
only the commonest are there. A code word is listed wherever a plan word is, so that "design it and
build it" is work on code in every language.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split(",") if line.strip())


#: Scripts with blanks between words; each is looked for as whole words, in lower case.
PLAN_WORDS: Final = _words(
    """
    planen planung einplanen entwerfen entwirf entwurf architektur konzept konzipiere konzipieren
    abwägen abwägung vorgehensweise herangehensweise fahrplan
    planifier planifie planifions planification concevoir conçois conception approche approches
    stratégie réfléchir réfléchisse réfléchissons
    planificar planifica planifiquemos planificación diseño diseñar diseña diseñemos arquitectura
    enfoque enfoques estrategia
    planejar planeje planejamento planeamento planear projetar arquitetura abordagem abordagens
    estratégia estratégias
    progettare progettazione pianificare pianificazione architettura approccio
    план плана планы спланируй спланировать спланируем продумай продумать продумаем спроектируй
    спроектировать проектирование архитектура архитектуру архитектуры архитектуре подход подходы
    подхода стратегия стратегию
    спланувати архітектура архітектуру підхід
    """
)

PLAN_PHRASES: Final = _lines(
    """
    vor- und nachteile, vorteile und nachteile, für und wider, wie würdest du, wie würden sie,
    was würdest du, sollten wir, sollen wir, soll ich lieber, lohnt sich, wäge ab, wäge bitte ab,
    noch kein code, noch keinen code,
    avantages et inconvénients, pour et contre, pour et le contre, comment ferais-tu,
    comment feriez-vous, que recommandes-tu, que recommandez-vous, tu recommandes quoi, devrait-on,
    devrions-nous, feuille de route, pas de code pour,
    ventajas y desventajas, ventajas e inconvenientes, pros y contras, cómo harías, cómo lo harías,
    cómo organizarías, cómo diseñarías, qué recomiendas, qué me recomiendas, deberíamos,
    hoja de ruta, nos conviene, vale la pena, sin código todavía,
    prós e contras, vantagens e desvantagens, como você faria, como farias, o que você recomenda,
    o que recomendas, deveríamos, vale a pena, sem código ainda, plano de,
    pro e contro, vantaggi e svantaggi, come faresti, cosa consigli, dovremmo,
    voor- en nadelen, wat zou jij doen, hoe zou jij,
    плюсы и минусы, за и против, стоит ли, как бы ты, какой бы ты, что бы ты выбрал, какие варианты,
    какие есть варианты, сравни варианты, дорожная карта, дорожную карту, пока без кода,
    fayde nuksan, fayde aur nuksan, kya karna chahiye
    """
)

#: Scripts without blanks or without case; each is looked for anywhere.
PLAN_SIGNS: Final = _lines(
    """
    方案, 架构, 架構, 权衡, 權衡, 利弊, 优缺点, 優缺點, 取舍, 取捨, 规划, 規劃, 路线图, 路線圖,
    怎么选, 怎麼選,
    如何设计, 怎么设计, 如何設計, 怎麼設計, 设计一个, 设计一套, 制定计划, 先别写代码, 先不要写代码,
    設計, アーキテクチャ, 方針, 進め方, 検討し, 比較し, 長所と短所,
    メリットとデメリット, メリット・デメリット,
    ロードマップ, どう設計, まだコードは,
    설계, 아키텍처, 장단점, 로드맵, 계획을, 전략을, 어떻게 접근,
    योजना, आर्किटेक्चर, रणनीति, फायदे नुकसान, फायदे और नुकसान, फ़ायदे और नुकसान, क्या करना चाहिए,
    خطة, تصميم, المزايا والعيوب
    """
)

CODE_WORDS: Final = _words(
    """
    implementiere implementieren programmiere behebe beheben korrigiere refaktoriere debugge
    implémente implémenter implémentez corrige corrigez corriger refactorise refactoriser
    implementa implementar impleméntalo corregir corrígelo refactoriza refactorizar arregla
    implemente corrija corrigir refatore refatorar conserte conserta
    implementare implementalo correggi correggere
    реализуй реализовать исправь исправить почини починить отрефактори отладь напиши добавь
    реалізуй виправ
    """
)

CODE_PHRASES: Final = _lines(
    """
    schreib die funktion, schreibe die funktion, schreib einen test, schreibe einen test,
    schreib tests, schreibe tests, schreib den code, schreibe den code, bau es, setz es um,
    setze es um, écris la fonction, écris une fonction, écris un test, écris le code,
    ajoute un test, escribe la función, escribe una función, escribe un test, escribe el código,
    añade un test, escreva a função, escreva uma função, escreva um teste, escreva o código,
    likh do, likho, bana do, theek karo, fix karo
    """
)

CODE_SIGNS: Final = _lines(
    """
    实现, 實現, 修复, 修復, 重构, 重構, 编写, 編寫, 写一个, 寫一個, 写代码实, 调试, 調試, 添加测试,
    実装, 修正し, 直して, リファクタ, 書いて, 作って, 追加し, デバッグ,
    구현, 수정해, 고쳐, 리팩터, 리팩토링, 작성해, 디버그, 만들어,
    लिखो, लिख दो, ठीक करो, जोड़ो, बनाओ, बना दो
    """
)
