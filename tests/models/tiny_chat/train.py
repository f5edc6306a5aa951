"""Train the tiny chat model on ``corpus.txt.xz`` and write ``tiny-chat.gguf``.

Usage: ``python train.py [--steps N] [--seed S] [--threads T] [--corpus FILE] [--out FILE]``

The training is bounded by steps and seeded; only the assistant's tokens count in the loss.
"""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

import argparse
import lzma
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from export import export
from model import Shape, TinyChat, train_tokenizer
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HERE = Path(__file__).parent
SEPARATOR = "<|endoftext|>\n"
ANSWER_START = "<|im_start|>assistant\n"
ANSWER_END = "<|im_end|>"
STEPS = 2600
BATCH_TOKENS = 2560
PEAK_RATE = 3e-3
WARMUP = 100
VALIDATION_SHARE = 0.01
LONGEST = 512


@dataclass(frozen=True)
class Sample:
    """Token ids of a dialogue; ``answer[i]`` says whether token ``i`` is to be learned."""

    tokens: list[int]
    answer: list[bool]


def encode(tokenizer: Tokenizer, dialogue: str) -> Sample:
    """Tokenise a dialogue piece by piece, marking what the assistant says."""
    tokens: list[int] = []
    answer: list[bool] = []
    for number, piece in enumerate(dialogue.split(ANSWER_START)):
        said, end, rest = piece.partition(ANSWER_END) if number else ("", "", piece)
        parts = ((ANSWER_START, False),) * bool(number) + ((said + end, True), (rest, False))
        for text, learned in parts:
            ids = tokenizer.encode(text).ids if text else []
            tokens += ids
            answer += [learned] * len(ids)
    return Sample(tokens[:LONGEST], answer[:LONGEST])


def batches(samples: list[Sample], rng: Random) -> list[list[Sample]]:
    """One epoch of batches of similar length and about ``BATCH_TOKENS`` tokens, in random order."""
    order = sorted(samples, key=lambda sample: (len(sample.tokens) // 8, rng.random()))
    found: list[list[Sample]] = []
    start = 0
    while start < len(order):
        size = max(1, BATCH_TOKENS // (len(order[start].tokens) + 8))
        found.append(order[start : start + size])
        start += size
    rng.shuffle(found)
    return found


def tensors(batch: list[Sample]) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (batch, time), the mask of positions to learn, and their next tokens (count,)."""
    longest = max(len(sample.tokens) for sample in batch)
    tokens = torch.zeros(len(batch), longest, dtype=torch.long)
    answer = torch.zeros(len(batch), longest, dtype=torch.bool)
    for row, sample in enumerate(batch):
        tokens[row, : len(sample.tokens)] = torch.tensor(sample.tokens)
        answer[row, : len(sample.answer)] = torch.tensor(sample.answer)
    wanted = answer[:, 1:]
    return tokens[:, :-1], wanted, tokens[:, 1:][wanted]


def loss_of(model: TinyChat, batch: list[Sample]) -> Tensor:
    """Mean cross entropy per learned token, computed in bfloat16 except for the loss itself."""
    inputs, wanted, targets = tensors(batch)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(inputs, wanted)
    return functional.cross_entropy(logits.float(), targets)


def rate(step: int, steps: int) -> float:
    """Learning rate as a share of the peak: warm up, then fall in a straight line to zero."""
    return min(1.0, (step + 1) / WARMUP) * min(1.0, 1.25 * (1 - step / steps))


def optimizers(model: TinyChat) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the embedding and the norms."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is m for m in matrices)]
    muon = torch.optim.Muon(
        matrices, lr=PEAK_RATE, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(others, lr=PEAK_RATE, betas=(0.9, 0.95), weight_decay=0.01)
    return [muon, adam]


def train(model: TinyChat, samples: list[Sample], steps: int, rng: Random) -> None:
    """Run ``steps`` optimizer steps over as many epochs as that takes."""
    chosen = optimizers(model)
    started, step, seen = time.monotonic(), 0, 0
    while step < steps:
        for batch in batches(samples, rng)[: steps - step]:
            for optimizer in chosen:
                for group in optimizer.param_groups:
                    group["lr"] = PEAK_RATE * rate(step, steps)
            loss = loss_of(model, batch)
            model.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in chosen:
                optimizer.step()
            step += 1
            seen += sum(len(sample.tokens) for sample in batch)
            if step % 100 == 0:
                seconds = time.monotonic() - started
                print(
                    f"step {step} loss {loss.item():.4f}"
                    f" {seconds:.0f}s {seen / seconds:.0f} tokens/s",
                    flush=True,
                )


@torch.no_grad()
def validate(model: TinyChat, samples: list[Sample]) -> float:
    """Mean loss per batch on dialogues that were not trained on."""
    losses = [loss_of(model, batch).item() for batch in batches(samples, Random(0))]
    return sum(losses) / len(losses)


def main() -> None:
    """Parse the arguments, train, measure, export."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus.txt.xz")
    parser.add_argument("--out", type=Path, default=HERE / "tiny-chat.gguf")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    dialogues = lzma.decompress(options.corpus.read_bytes()).decode().split(SEPARATOR)
    tokenizer = train_tokenizer(dialogues[:30_000], Shape.vocabulary)
    samples = [encode(tokenizer, dialogue) for dialogue in dialogues]
    held_out = int(len(samples) * VALIDATION_SHARE)
    model = TinyChat(Shape(vocabulary=tokenizer.get_vocab_size()))
    print(
        f"{sum(p.numel() for p in model.parameters())} parameters,"
        f" {sum(len(s.tokens) for s in samples)} tokens"
    )
    train(model, samples[held_out:], options.steps, Random(options.seed))
    print(f"validation loss {validate(model, samples[:held_out]):.4f}")
    export(model, tokenizer, (HERE / "template.jinja").read_text("utf-8").rstrip("\n"), options.out)


if __name__ == "__main__":
    main()
