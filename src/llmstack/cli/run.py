"""``llmstack run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import gateway, key_for, work_dir
from llmstack.errors import DaemonError
from llmstack.wiring.shell_prompt import printable, without_controls

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack run "How should we design the cache?"
  llmstack run code-smart "Refactor this" < parser.py
  git diff | llmstack run "Summarise this change"

The answer goes to standard output, everything else to standard error."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "prompt",
        nargs="+",
        metavar="[MODEL] PROMPT",
        help="a question, perhaps after a tier or alias; piped input is appended",
    )
    parser.add_argument("-m", "--model", help="a tier or alias, instead of the first word")
    parser.add_argument("-s", "--system", help="a system prompt")
    parser.add_argument("--max-tokens", type=int, help="the longest answer, in tokens")


def run(arguments: Namespace) -> int:
    """Ask and stream."""
    from llmstack.client.chat import chat

    work = work_dir()
    base = gateway(work)
    key = key_for(work, base)
    model, words = _model(base, key, arguments)
    prompt = " ".join(words)
    if not sys.stdin.isatty() and (piped := sys.stdin.read().strip()):
        prompt = f"{prompt}\n\n{piped}"
    messages = [{"role": "user", "content": prompt}]
    if arguments.system:
        messages.insert(0, {"role": "system", "content": arguments.system})
    limits = {"max_tokens": arguments.max_tokens} if arguments.max_tokens else {}
    turn = chat(
        base,
        messages,
        model=model,
        key=key,
        on_model=lambda model, why: print(
            printable(f"[*] {model}: {why}"), file=sys.stderr, flush=True
        ),
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


def _model(base: str, key: str, arguments: Namespace) -> tuple[str, list[str]]:
    """The model and the words of the question: a first word that names a model is no question."""
    from llmstack.client.http import get_json

    words: list[str] = arguments.prompt
    if arguments.model or len(words) == 1:
        return arguments.model or "auto", words
    try:
        names = {row["id"] for row in get_json(base, "/v1/models", key=key)["data"]}
    except (KeyError, TypeError) as error:
        raise DaemonError(
            f"what {base} answers is no list of models", fix="Is that the gateway of an llmstack?"
        ) from error
    return (words[0], words[1:]) if words[0] in names else ("auto", words)


def _show(text: str) -> None:
    # A file has what the model wrote; a terminal would act upon some of it.
    sys.stdout.write(without_controls(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
