"""``llmstack run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import daemon
from llmstack.client.chat import chat

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack run "How should we design the cache?"
  llmstack run --model code-smart "Refactor this" < parser.py
  git diff | llmstack run "Summarise this change"

The answer goes to standard output, everything else to standard error."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("prompt", nargs="+", help="the question; piped input is appended to it")
    parser.add_argument("-m", "--model", default="auto", help="a tier or alias (default auto)")
    parser.add_argument("-s", "--system", help="a system prompt")
    parser.add_argument("--max-tokens", type=int, help="the longest answer, in tokens")


def run(arguments: Namespace) -> int:
    """Ask and stream."""
    prompt = " ".join(arguments.prompt)
    if not sys.stdin.isatty() and (piped := sys.stdin.read().strip()):
        prompt = f"{prompt}\n\n{piped}"
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    limits = {"max_tokens": arguments.max_tokens} if arguments.max_tokens else {}
    turn = chat(
        daemon().gateway,
        messages,
        model=arguments.model,
        on_model=lambda model, why: print(f"[*] {model}: {why}", file=sys.stderr, flush=True),
        on_text=_show,
        **limits,
    )
    print()
    print(
        f"[=] {turn.prompt_tokens} tokens in, {turn.answer_tokens} out, {turn.speed:.0f} tokens/s, "
        f"first after {turn.first_token:.2f} s",
        file=sys.stderr,
    )
    return 0


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
