"""A small llama-architecture language model and its tokenizer."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTROL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKUP_TOKENS = ["<tool_call>", "</tool_call>", '{"name": "', '", "arguments": {', '": "', '", "']
"""Frequent pieces of tool calls; the engine matches them before it splits text into words."""

_GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Byte-level BPE whose words never include the space before them.

    A name is then made of the same tokens after a space, a slash and a quote, so that copying it
    from a sentence into JSON is one-to-one. The engine's own ``gpt-2`` splitting gives the same
    tokens, because no merge joins a space with what follows it.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_GPT2_SPLIT), "isolated"),
            pre_tokenizers.Split(Regex(r" (?=\S)"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=CONTROL_TOKENS + MARKUP_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@dataclass(frozen=True)
class Shape:
    """Sizes of the network."""

    vocabulary: int = 1024
    width: int = 192
    layers: int = 5
    feed_forward: int = 320
    heads: int = 6
    kv_heads: int = 3
    head_size: int = 32
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5


def rotate(x: Tensor, base: float) -> Tensor:
    """Rotary position embedding on interleaved pairs, as llama.cpp does it for this architecture.

    ``x`` has the shape (batch, heads, time, head size).
    """
    time, size = x.shape[-2:]
    speeds = base ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(time, dtype=torch.float32), speeds)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Block(nn.Module):
    """Attention and gated feed-forward, each behind a norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
        self.attn_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.attn_q = nn.Linear(shape.width, queries, bias=False)
        self.attn_k = nn.Linear(shape.width, keys, bias=False)
        self.attn_v = nn.Linear(shape.width, keys, bias=False)
        self.attn_output = nn.Linear(queries, shape.width, bias=False)
        self.ffn_gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def attend(self, x: Tensor) -> Tensor:
        """Causal grouped-query self-attention of (batch, time, width)."""
        batch, time, _ = x.shape
        shape = self.shape

        def split(y: Tensor, heads: int) -> Tensor:
            return y.view(batch, time, heads, shape.head_size).transpose(1, 2)

        query = rotate(split(self.attn_q(x), shape.heads), shape.rope_base) * shape.head_size**-0.5
        key = rotate(split(self.attn_k(x), shape.kv_heads), shape.rope_base)
        value = split(self.attn_v(x), shape.kv_heads)
        repeat = shape.heads // shape.kv_heads
        # Written out because the fused kernel's backward pass is slow for short sequences on a CPU.
        scores = query @ key.repeat_interleave(repeat, 1).transpose(-1, -2)
        future = torch.full((time, time), float("-inf"), dtype=scores.dtype).triu(1)
        mixed = (scores + future).softmax(-1).to(value.dtype) @ value.repeat_interleave(repeat, 1)
        output: Tensor = self.attn_output(mixed.transpose(1, 2).reshape(batch, time, -1))
        return output

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.attn_norm(x))
        y = self.ffn_norm(x)
        output: Tensor = x + self.ffn_down(functional.silu(self.ffn_gate(y)) * self.ffn_up(y))
        return output


class TinyChat(nn.Module):
    """The whole network; the output layer is the token embedding."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.apply(self._initialise)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, 0.0, 0.02 if isinstance(module, nn.Embedding) else 0.05)

    def hidden(self, tokens: Tensor) -> Tensor:
        """Last hidden states, (batch, time, width), of token ids, (batch, time)."""
        x = self.token_embd(tokens)
        for block in self.blocks:
            x = block(x)
        normed: Tensor = self.output_norm(x)
        return normed

    def forward(self, tokens: Tensor, wanted: Tensor) -> Tensor:
        """Logits, (count, vocabulary), at the positions where the mask ``wanted`` is true."""
        return functional.linear(self.hidden(tokens)[wanted], self.token_embd.weight)
