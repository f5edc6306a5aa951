"""The llama-server flags that follow from ``models.ini``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.config.stack import Channel, Sampler, ServerOptions, Settings, Tier

#: One flag with its values; the unit in which flags are left out for an older llama-server.
Flag = tuple[str, ...]

#: Flags that llmstack sets itself, and what to write instead of them in ``extra_args``.
RESERVED = {
    "--host": "host in [DEFAULT]",
    "--port": "start_port in [DEFAULT]",
    "--alias": "aliases",
    "-a": "aliases",
    "--model": "path",
    "-m": "path",
    "-hf": "hf_repo",
    "-hfr": "hf_repo",
    "--hf-repo": "hf_repo",
    "-hff": "hf_file",
    "--hf-file": "hf_file",
    "-c": "ctx_size",
    "--ctx-size": "ctx_size",
    "--sse-ping-interval": "nothing",
}


def common_flags(settings: Settings, server: ServerOptions) -> list[Flag]:
    """What every model server gets. ``--sse-ping-interval`` lets it stop within seconds."""
    return [
        ("--host", settings.host),
        ("--port", "${PORT}"),
        ("-ngl", str(server.n_gpu_layers)),
        ("-fa", server.flash_attn),
        *([("--jinja",)] if server.jinja else []),
        ("--cache-type-k", server.cache_type_k),
        ("--cache-type-v", server.cache_type_v),
        ("--threads", str(server.threads)),
        ("--no-warmup",),
        ("--sse-ping-interval", "1"),
    ]


def tier_flags(tier: Tier, channel: Channel) -> list[Flag]:
    """What one tier's server gets beyond ``common_flags``; ``extra_args`` come last and win."""
    weights = tier.effective(channel)
    flags: list[Flag] = []
    if weights.path is not None:
        flags.append(("-m", weights.path))
    else:
        flags += [("-hf", weights.hf_repo or ""), ("-hff", weights.hf_file or "")]
    flags.append(("--alias", tier.name))
    if tier.ctx_size:
        flags.append(("-c", str(tier.ctx_size)))
    if rope := tier.rope:
        flags += [
            ("--rope-scaling", "yarn"),
            ("--rope-scale", number(rope.scale)),
            ("--yarn-orig-ctx", str(rope.orig_ctx)),
        ]
        if rope.arch:
            length = int(rope.scale * rope.orig_ctx)
            flags.append(("--override-kv", f"{rope.arch}.context_length=int:{length}"))
    flags += _sampler_flags(tier.sampler)
    if tier.chat_template:
        flags.append(("--chat-template", tier.chat_template))
    return [*flags, *_own_flags(tier.server)]


def _sampler_flags(sampler: Sampler) -> list[Flag]:
    named = (
        ("--temp", sampler.temp),
        ("--top-p", sampler.top_p),
        ("--top-k", sampler.top_k),
        ("--min-p", sampler.min_p),
        ("--repeat-penalty", sampler.rep_pen),
    )
    return [(name, number(value)) for name, value in named if value is not None]


def _own_flags(server: ServerOptions) -> list[Flag]:
    """Unified: requests side by side share the window, instead of getting a part of it each."""
    flags: list[Flag] = []
    if server.parallel:
        flags += [("-np", str(server.parallel)), ("--kv-unified",)]
    if server.mmproj:
        flags.append(("--mmproj", server.mmproj))
    elif server.mmproj is not None:
        flags.append(("--no-mmproj",))
    if server.draft_path:
        flags.append(("-md", server.draft_path))
    # One group of its own: nobody knows which of these words belong together.
    if server.extra_args:
        flags.append(server.extra_args)
    return flags


def number(value: float) -> str:
    """``value`` as llama-server reads it, without needless digits."""
    return f"{value:.10g}"
