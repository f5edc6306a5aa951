"""Terse follow-ups: messages that only steer what is going on, and have no intent of their own.

Lower case, without punctuation. A message is terse when it is short and made of nothing but these
words or phrases. ``fix the parser`` is not: it says what to do.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import normalize


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Words of a terse message, and characters of one.
MOST_WORDS: Final = 8
LONGEST: Final = 80

#: Words that may stand in any order.
_WORDS: Final = _words(
    """
    again ahead alright also and another apply approved before better both carry commit confirm
    confirmed continue cool correct do done exactly excellent fine first fix go good great it its
    just keep last left lgtm looks me more next nice no nope not now ok okay once one option perfect
    please pls proceed push redo resume retry right run same save second ship sounds stop sure
    thank thanks that the them then these third this those too try undo revert wait works wrong y
    yea yeah yep yes you yup n k going on up still failing fails broken too all so let lets
    agreed are hm hmm really
    ja jawohl nein nee weiter mach mache machen bitte danke genau gut passt super nochmal noch mal
    los okey klar richtig stimmt das es so alles behebe repariere fortfahren fortsetzen fahr fort
    korrigiere jetzt dann und auch klingt einverstanden sicher
    oui non continue continuez vas y allez encore merci daccord parfait corrige corrigez le la ca
    ça cela fais reessaie réessaie suivant poursuis poursuivez maintenant bien très tres
    avec toi sûr
    sí si continúa continua continuar sigue siga adelante vale hazlo arréglalo arreglalo corrígelo
    corrigelo otra vez gracias bien perfecto dale claro por favor ahora suena seguro
    sì procedi prosegui vai avanti va bene correggi correggilo grazie ancora perfetto fallo
    sim não nao continue continuar pode prossiga corrija corrige obrigado isso faça faca tudo bem
    parece bom certeza
    door doorgaan ga verder prima graag bedankt los het op
    tak nie dalej kontynuuj popraw napraw dobrze proszę prosze dzięki jasne
    да нет продолжай продолжить дальше давай ок хорошо исправь это его ещё еще раз спасибо верно
    так ні далі продовжуй гаразд виправ дякую
    ano ne pokračuj dál oprav dobře díky
    ja fortsätt kör tack fortsett takk fortsæt
    evet hayır devam et tamam düzelt lütfen
    igen nem folytasd rendben
    da nu continuă bine
    نعم لا استمر تابع حسنا أكمل
    हाँ हां नहीं ठीक है जारी रखो रखें
    theek thik hai bhai haan accha
    vâng tiếp tục được sửa nó đi
    iya ya lanjut lanjutkan perbaiki itu tidak oke
    """  # noqa: RUF001  that is how they are written
)

#: Words that need no others; the rest of a terse message may be about anything above, but one of
#: only fillers ("the", "it") says nothing that could be followed.
_FILLERS: Final = _words("the it its and so too also das es le la me los")

#: Messages of scripts without blanks, whole.
_WHOLE: Final = _words(
    """
    继续 继续吧 请继续 接着 接着来 好 好的 好吧 好了 是 是的 对 对的 可以 行 没问题 确认 同意
    修复 修一下 修复它 改一下 再试一次 重试 下一步 不 不是 不对 谢谢 開始 開始吧
    繼續 請繼續 是的請 开始吧 做吧
    続けて 続けてください 続き 続行 はい はいお願いします お願いします いいえ
    直して 修正して もう一度 次 次へ 了解 ありがとう やって
    진행 진행해 계속 계속해 계속해줘 계속하세요 네 예 응 좋아 좋아요
    아니 아니요 고쳐 고쳐줘 다시 다시해줘 ต่อ ทำต่อ ใช่ ตกลง
    """
)

_CHOICE: Final = re.compile(r"(?:option |nr |no |number |step )?(?:\d{1,2}|[a-f])")
#: Words of a choice.
_LONGEST_CHOICE: Final = 2
_APOSTROPHES: Final = re.compile(r"['\u2019`]")
# Vowel signs and accents of their own are no letters to Python.
_SIGNS: Final = r"\u0300-\u036f\u0900-\u0963\u0971-\u0dff\u0e31-\u0e4e"
_WORD: Final = re.compile(rf"[\w{_SIGNS}]+")
_NOT_WORD: Final = re.compile(rf"(?:[^\w{_SIGNS}]|_)+")


def is_terse(text: str) -> bool:
    """Whether ``text`` only steers: ``continue``, ``yes``, ``fix it``, ``mach weiter``."""
    if not text or len(text) > LONGEST:
        return False
    text = _APOSTROPHES.sub("", normalize("NFC", text).lower()).strip()
    words = _WORD.findall(text)
    if not words:
        return text in ("?", "!", "...", "…", "👍", "👌", "✅")
    if len(words) > MOST_WORDS:
        return False
    if _WORDS.issuperset(words):
        return not _FILLERS.issuperset(words)
    if len(words) > _LONGEST_CHOICE and text.isascii():
        return False  # neither a choice nor of those scripts
    joined = _NOT_WORD.sub(" ", text).strip()
    return joined.replace(" ", "") in _WHOLE or _CHOICE.fullmatch(joined) is not None
