"""One tier section as a frozen value."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from llmstack.config.fields import NAME
from llmstack.config.grammars import SAMPLER_NAMES, parse_rope, parse_sampler
from llmstack.config.hosted import Budget
from llmstack.config.numbers import (
    BadValueError,
    parse_bool,
    parse_decimal,
    parse_gigabytes,
    parse_seconds,
    parse_tokens,
    shown,
)
from llmstack.config.problems import nearest
from llmstack.config.read_context import read_context
from llmstack.config.read_hosted import GGUF, read_hosted, warn_of_others
from llmstack.config.read_server import local_path, read_server
from llmstack.config.roles import ROLES, default_ttl, role_of
from llmstack.config.stack import Prices, Sampler, Tier, Weights

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.fields import Fields

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def read_tier(fields: Fields, base: Path, kind: str) -> Tier:
    """The tier of a section, without its aliases and fallback.

    ``kind`` is ``gguf`` or a key of ``BACKENDS``. What is missing or wrong is recorded in
    ``fields``.
    """
    tier = _tier(fields)
    warn_of_others(fields, kind)
    if kind != GGUF:
        hosted, hosted_next = read_hosted(fields, kind)
        tier = replace(tier, hosted=hosted, hosted_next=hosted_next)
        if not tier.ctx_size:
            fields.warning(
                "ctx_size",
                "nobody knows the context window of the model, and agents are told of 8192 tokens",
                "Add a line ctx_size = ... with the window in tokens, such as 200000 or 128k.",
            )
    else:
        weights = _weights(fields, base)
        ttl = fields.read("ttl", parse_seconds)
        preload = fields.read("preload", parse_bool)
        tier = replace(
            tier,
            weights=weights or Weights(),
            weights_next=_weights_next(fields, weights),
            rope=fields.read("rope_scaling", parse_rope),
            chat_template=fields.text("chat_template") or None,
            ttl=default_ttl(tier.role) if ttl is None else ttl,
            preload=tier.role == "fast" if preload is None else preload,
            server=read_server(fields, base),
        )
    _check_sizes(fields, tier)
    return tier


def _tier(fields: Fields) -> Tier:
    """What tiers of every kind have."""
    prices, budget = _prices(fields), _budget(fields)
    if budget and prices.input is None and prices.output is None:
        key = "budget_usd_per_day" if fields.has("budget_usd_per_day") else "budget_usd_per_month"
        fields.warning(
            key,
            "without prices nobody knows what the tier costs, and the budget is never spent",
            "Add price_input_per_1m and price_output_per_1m.",
        )
    return Tier(
        name=fields.own.name,
        role=_role(fields),
        weights=Weights(),
        label=fields.text("tier") or "",
        description=fields.text("description") or fields.own.name,
        ctx_size=fields.read("ctx_size", parse_tokens) or 0,
        max_output_tokens=fields.read("max_output_tokens", _some_tokens),
        sampler=_sampler(fields),
        ttl=0,
        prices=prices,
        budget=budget,
        context=read_context(fields),
    )


def _weights(fields: Fields, base: Path) -> Weights | None:
    path = fields.read("path", lambda text: local_path(text, base))
    repo = fields.read("hf_repo", parse_repo)
    file = fields.read("hf_file", parse_hub_file)
    size = fields.read("size_gb", parse_gigabytes)
    quant = fields.text("quant") or ""
    has_path, has_repo, has_file = (fields.has(key) for key in ("path", "hf_repo", "hf_file"))
    if has_path and (has_repo or has_file):
        other = "hf_repo" if has_repo else "hf_file"
        fields.error(
            "path",
            f"{other} on line {fields.line(other)} names another model",
            "Keep either path, or hf_repo and hf_file.",
        )
        return None
    if has_repo != has_file:
        here, missing = ("hf_repo", "hf_file") if has_repo else ("hf_file", "hf_repo")
        fields.error(here, f"{missing} is missing", f"Add a line {missing} = ... to the section.")
        return None
    if not has_path and not has_repo:
        fields.error(
            "hf_repo",
            "neither it nor path says which model the tier serves",
            "Add hf_repo and hf_file, or path.",
        )
        return None
    if path is None and (repo is None or file is None):
        return None
    return Weights(hf_repo=repo, hf_file=file, path=path, size_gb=size, quant=quant)


def _weights_next(fields: Fields, current: Weights | None) -> Weights | None:
    """What is queued. Its size is that of the current file where ``size_gb_next`` is absent."""
    repo = fields.read("hf_repo_next", parse_repo)
    file = fields.read("hf_file_next", parse_hub_file)
    size = fields.read("size_gb_next", parse_gigabytes)
    quant = fields.text("quant_next") or ""
    if current is None:
        return None
    if not fields.has("hf_file_next"):
        for key in ("hf_repo_next", "size_gb_next", "quant_next"):
            if fields.has(key):
                fields.warning(
                    key, "it has no effect without hf_file_next", "Add hf_file_next, or remove it."
                )
        return None
    repo = repo or current.hf_repo
    if repo is None and not fields.has("hf_repo_next"):
        fields.error(
            "hf_file_next", "hf_repo_next is missing", "Add the repository that holds the file."
        )
    if repo is None or file is None:
        return None
    return Weights(hf_repo=repo, hf_file=file, size_gb=size or current.size_gb, quant=quant)


def _role(fields: Fields) -> str:
    written = fields.text("role") or ""
    role = role_of(written.lower(), (fields.text("tier") or "").lower())
    if role and NAME.fullmatch(role) is None:
        fields.error("role", f"{shown(written)} is not a name", f"Write one of {', '.join(ROLES)}.")
        return ""
    if role and role not in ROLES:
        fields.warning(
            "role",
            f"no rule of routing knows the role {shown(written)}",
            nearest(role, ROLES) or f"The known roles are {', '.join(ROLES)}.",
        )
    return role


def _sampler(fields: Fields) -> Sampler:
    sampler, unknown = fields.read("sampler", parse_sampler) or (Sampler(), ())
    for name in unknown:
        fields.warning(
            "sampler",
            f"{shown(name)} is not a sampling setting and has no effect",
            nearest(name, SAMPLER_NAMES) or f"The settings are {', '.join(SAMPLER_NAMES)}.",
        )
    return sampler


def _prices(fields: Fields) -> Prices:
    def price(key: str) -> float | None:
        return fields.read(key, lambda text: parse_decimal(text, minimum=0, maximum=1_000_000))

    return Prices(
        input=price("price_input_per_1m"),
        output=price("price_output_per_1m"),
        cache_read=price("price_cache_read_per_1m"),
        cache_write=price("price_cache_write_per_1m"),
    )


def _budget(fields: Fields) -> Budget:
    def dollars(text: str) -> float:
        amount = parse_decimal(text, minimum=0, maximum=1_000_000)
        if amount == 0:
            raise BadValueError("with 0 nothing could be asked", "Remove the line for no limit.")
        return amount

    return Budget(
        per_day=fields.read("budget_usd_per_day", dollars),
        per_month=fields.read("budget_usd_per_month", dollars),
    )


def _check_sizes(fields: Fields, tier: Tier) -> None:
    limit = int(tier.rope.scale * tier.rope.orig_ctx) if tier.rope else None
    if limit is not None and tier.ctx_size > limit:
        fields.warning(
            "ctx_size", f"rope_scaling reaches only {limit} tokens", f"Write at most {limit}."
        )
    if tier.ctx_size and tier.max_output_tokens and tier.max_output_tokens >= tier.ctx_size:
        fields.warning(
            "max_output_tokens",
            f"an answer of {tier.max_output_tokens} tokens leaves no room for a prompt "
            f"in a context of {tier.ctx_size}",
            "Write a smaller number.",
        )


def _some_tokens(text: str) -> int:
    if (count := parse_tokens(text)) == 0:
        raise BadValueError("0 tokens are no answer", "Remove the line for no limit.")
    return count


def parse_repo(text: str) -> str:
    """A hub repository, ``owner/name``."""
    if _REPO.fullmatch(text) is None:
        raise BadValueError(
            f"{shown(text)} is not a hub repository",
            "Write owner/name, and the file in hf_file.",
        )
    return text


def parse_hub_file(text: str) -> str:
    """A file inside a hub repository, perhaps in a folder of it."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or text.startswith(("-", "~")):
        raise BadValueError(
            f"{shown(text)} is not a file of a hub repository",
            "Write the file's name as the hub shows it; a file on this machine goes in path.",
        )
    return text
