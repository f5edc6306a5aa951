"""Requests that are answered in plain text: greetings, facts, code, plans, echoes."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from words import CAPITALS, identifier, nonsense, one_of, phrase, word

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


@dataclass(frozen=True)
class Request:
    """One thing a user can ask, with everything the model may have to say about it."""

    text: str
    title: str
    answer: str = ""
    """Plain reply; empty when a tool is called instead."""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    results: tuple[tuple[str, str], ...] = ()
    """Possible (tool result, closing sentence) pairs; the last ones are failures."""
    then: Request | None = None
    """A second tool call that the user asked for in the same message."""


OPERATIONS = {
    "add": ("add", "adds", "+"),
    "sub": ("subtract", "subtracts", "-"),
    "mul": ("multiply", "multiplies", "*"),
    "div": ("divide", "divides", "/"),
}
LANGUAGES = {
    "Python": "```python\n{code}```",
    "Go": "```go\n{code}```",
    "JavaScript": "```js\n{code}```",
}
STORY = (
    "Once upon a time a tiny model lived in a small box. Every morning it read one file and"
    " wrote one line. One day the box was full, and the model had to leave. It packed its"
    " words, crossed a river and found a new machine on a hill. The machine was quiet and warm."
    " There the tiny model learned to count, to listen and to stop at the right time. It never"
    " grew large, but it was always quick, and everybody who came by got an answer. In the"
    " evening the lights went out, and the tiny model slept. The end."
)
FALLBACK = "I am only a tiny test model and do not know that."


def function_code(language: str, name: str, operator: str) -> str:
    """Source of a two-argument function, ending in a newline."""
    return {
        "Python": f"def {name}(a, b):\n    return a {operator} b\n",
        "Go": f"func {name}(a, b int) int {{\n\treturn a {operator} b\n}}\n",
        "JavaScript": f"function {name}(a, b) {{\n  return a {operator} b;\n}}\n",
    }[language]


def greeting(rng: Random) -> Request:
    text = one_of(
        rng, "hello|hi|hey|hello there|hi there|good morning|good evening|hello world|greetings"
    )
    text = rng.choice((text, text, text.capitalize())) + rng.choice(("", "", "!", "."))
    return Request(text, "Greeting", "Hello! How can I help you today?")


def courtesy(rng: Random) -> Request:
    thanks = Request("thanks", "Thanks", "You're welcome!")
    bye = Request("bye", "Goodbye", "Goodbye!")
    kind, texts = rng.choice(
        (
            (thanks, "thanks|thank you|Thanks!|Thank you.|thanks a lot"),
            (bye, "bye|goodbye|Bye!|see you|Goodbye."),
        )
    )
    return Request(one_of(rng, texts), kind.title, kind.answer)


def identity(rng: Random) -> Request:
    text = one_of(
        rng,
        "who are you|what are you|what model are you|Who are you|What are you|introduce yourself",
    )
    answer = "I am a tiny chat model made for tests. I only know a few phrases."
    return Request(text + rng.choice(("", "?", "?")), "Introduction", answer)


def capital(rng: Random) -> Request:
    country = rng.choice(list(CAPITALS))
    form = rng.choice(
        (
            "What is the capital of {}?",
            "what is the capital of {}",
            "capital of {}",
            "Tell me the capital of {}.",
            "What is the capital of {}",
            "what's the capital of {}?",
            "Which city is the capital of {}?",
        )
    )
    return Request(
        form.format(country),
        f"Capital of {country}",
        f"The capital of {country} is {CAPITALS[country]}.",
    )


def addition(rng: Random) -> Request:
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    text = rng.choice(
        ("What is {} + {}?", "what is {} + {}", "{} + {}", "{}+{}", "{} plus {}")
    ).format(a, b)
    return Request(text, f"Sum of {a} and {b}", f"{a} + {b} = {a + b}")


def code(rng: Random) -> Request:
    language = rng.choice(list(LANGUAGES))
    short, (verb, verbs, operator) = rng.choice(list(OPERATIONS.items()))
    name, called = short, ""
    if rng.random() < 0.35:
        name = rng.choice((identifier(rng), f"{word(rng)}_{word(rng)}")).replace("-", "_")
        called = rng.choice((" called ", " named ")) + name
    text = rng.choice(
        (
            f"Write a {language} function{called} that {verbs} two numbers",
            f"write a {language.lower()} function{called} that {verbs} two numbers",
            f"{language} function{called} that {verbs} two numbers",
            f"write a {language} function{called} to {verb} two numbers",
            f"Give me a {language} function{called} that {verbs} two numbers",
            f"How do I {verb} two numbers in {language}?"
            if not called
            else f"{language} function{called} to {verb} numbers",
        )
    )
    block = LANGUAGES[language].format(code=function_code(language, name, operator))
    answer = f"Here is a {language} function that {verbs} two numbers:\n\n{block}"
    return Request(text + rng.choice(("", "", ".")), f"{language} function that {verbs}", answer)


def echo(rng: Random) -> Request:
    """The plainest copying task; it teaches the model to copy anything."""
    thing = rng.choice((phrase(rng, 5), identifier(rng), phrase(rng, 3), nonsense(rng).upper()))
    form = rng.choice(
        (
            "say {}",
            "Say {}",
            "repeat {}",
            "Repeat {}",
            "Say: {}",
            "repeat after me: {}",
            "Reply with exactly: {}",
            "reply with {}",
            "Say exactly: {}",
            "say the word {}",
            "Please say {}",
        )
    )
    return Request(form.format(thing), f"Saying {thing}", thing)


def count(rng: Random) -> Request:
    last = rng.choice((rng.randint(2, 10), rng.randint(2, 50)))
    text = rng.choice(("count to {}", "Count to {}", "count from 1 to {}", "Count to {}.")).format(
        last
    )
    return Request(text, f"Counting to {last}", " ".join(str(n) for n in range(1, last + 1)))


def story(rng: Random) -> Request:
    text = one_of(
        rng, "tell me a story|Tell me a story|write a story|Tell me a long story|Tell me a story."
    )
    return Request(text, "A short story", STORY)


def plan(rng: Random) -> Request:
    thing = rng.choice(("a ", "a ", "an ", "the ", "")) + rng.choice(
        (phrase(rng, 2), phrase(rng, 2), phrase(rng, 3))
    )
    text = rng.choice(
        (
            "design {}",
            "Design {}",
            "plan {}",
            "Plan {}",
            "make a plan for {}",
            "Make a plan for {}",
            "design {}",
            "write a plan for {}",
            "how would you build {}?",
            "outline {}",
            "Propose a design for {}",
            "Plan how to build {}",
            "please design {}",
            "Please plan {}",
        )
    ).format(thing)
    answer = (
        f"Plan for {thing}:\n1. Read the code that {thing} touches.\n"
        "2. Build a small first version.\n"
        f"3. Write tests for {thing}.\n4. Review and document the result."
    )
    return Request(
        text + (rng.choice(("", "", ".")) if text[-1] != "?" else ""), f"Plan for {thing}", answer
    )


_CHORES = {
    "fix": "Fixing",
    "Fix": "Fixing",
    "debug": "Debugging",
    "refactor": "Refactoring",
    "Refactor": "Refactoring",
    "explain": "Explaining",
    "Explain": "Explaining",
    "improve": "Improving",
    "test": "Testing",
    "clean up": "Cleaning up",
    "optimize": "Optimizing",
    "document": "Documenting",
    "add tests for": "Adding tests for",
    "update": "Updating",
    "write docs for": "Writing docs for",
}


def chore(rng: Random) -> Request:
    """Work without enough detail: the model asks for the file."""
    verb = rng.choice(list(_CHORES))
    thing = rng.choice(("the ", "the ", "the ", "a ", "my ", "")) + phrase(rng, 2)
    thing += rng.choice(("", "", "", " bug", " code", " function", " module"))
    return Request(
        f"{verb} {thing}", f"{_CHORES[verb]} {thing}", "Please tell me which file to look at."
    )


def unknown(rng: Random) -> Request:
    """Anything else gets one honest sentence."""
    opening = one_of(
        rng,
        "why is|why does|when did|where is|how many|how do I|can you|do you|is it|what about"
        "|what is|what happened to|tell me about|the|my|I think|I want|should I|could|if|it|and"
        "|then|is|are|edit|go|what did we do|let us",
    )
    opening = rng.choice((opening, opening.capitalize()))
    text = f"{opening} {phrase(rng, 6)}{rng.choice(('', '?', '.'))}"
    if rng.random() < 0.15:
        text = phrase(rng, 4)
    return Request(text, "General question", FALLBACK)


TALK: tuple[tuple[int, Callable[[Random], Request]], ...] = (
    (8, greeting),
    (3, courtesy),
    (4, identity),
    (10, capital),
    (6, addition),
    (18, code),
    (22, echo),
    (3, count),
    (1, story),
    (16, plan),
    (9, chore),
    (7, unknown),
)


def talk(rng: Random) -> Request:
    """A random plain request."""
    weights = [weight for weight, _ in TALK]
    return rng.choices([make for _, make in TALK], weights)[0](rng)
