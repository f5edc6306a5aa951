"""One key of ``models.ini``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SectionKind = Literal["DEFAULT", "tier", "ROUTING"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    ``kind`` says how the value is written, ``default`` what holds without it (empty: nothing).
    ``of`` names the tiers that use it: those that run here (``local``), all that others host
    (``hosted``), only those on AWS (``aws``) or behind a URL (``url``), those of an older version
    (``litellm``); empty is every tier.
    """

    section: SectionKind
    name: str
    kind: str
    default: str
    meaning: str
    of: Literal["", "local", "hosted", "aws", "url", "litellm"] = ""
