"""Requests that are answered with a tool call of a coding agent."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from typing import TYPE_CHECKING

from file_tools import PRINTS, bash, edit, failure, glob, grep, polite, read, write
from talk import Request
from words import CAPITALS, command, file_name, identifier, nonsense, one_of, phrase, url, word

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


def webfetch(rng: Random) -> Request:
    address = url(rng)
    text = rng.choice(("fetch {}", "fetch {}", "get {}", "download {}", "open the page {}")).format(
        address
    )
    results = (
        (phrase(rng, 5), f"I have fetched {address}."),
        (failure(rng), f"I could not fetch {address}."),
    )
    return Request(
        text, f"Fetching {address}", tool="webfetch", arguments={"url": address}, results=results
    )


def task(rng: Random) -> Request:
    agent = rng.choice(("explore", "general", "reviewer", "finder", nonsense(rng)))
    job = rng.choice(
        (
            f"find {file_name(rng)}",
            f"read {file_name(rng)}",
            f"review {file_name(rng)}",
            f"run {command(rng)}",
        )
    )
    text = rng.choice(("ask the {} agent to {}", "ask {} to {}", "use the {} agent to {}")).format(
        agent, job
    )
    arguments = {"description": job, "prompt": job, "subagent_type": agent}
    results = (
        (
            f'<task id="ses_{rng.getrandbits(60):x}" state="completed">',
            f"The {agent} agent has finished.",
        ),
    )
    return Request(
        polite(rng, text), f"Asking {agent}", tool="task", arguments=arguments, results=results
    )


def skill(rng: Random) -> Request:
    name = identifier(rng).lower()
    text = rng.choice(("use the {} skill", "load the {} skill", "load skill {}")).format(name)
    results = ((f'<skill_content name="{name}">', f"I have loaded the {name} skill."),)
    return Request(
        polite(rng, text), f"Skill {name}", tool="skill", arguments={"name": name}, results=results
    )


def todowrite(rng: Random) -> Request:
    item = rng.choice((f"fix {phrase(rng, 2)}", f"write {phrase(rng, 2)}", phrase(rng)))
    text = rng.choice(
        ("add a todo: {}", "todo: {}", "add {} to the todo list", "note a todo: {}")
    ).format(item)
    arguments = {"todos": [{"content": item, "status": "pending", "priority": "medium"}]}
    results = (("[", f"I have added {item} to the list."),)
    return Request(
        polite(rng, text), f"Todo {item}", tool="todowrite", arguments=arguments, results=results
    )


def weather(rng: Random) -> Request:
    city = rng.choice((rng.choice(list(CAPITALS.values())), nonsense(rng).capitalize()))
    text = rng.choice(
        (
            "What is the weather in {}?",
            "weather in {}",
            "What's the weather like in {}?",
            "how is the weather in {}",
            "What is the weather in {}",
        )
    ).format(city)
    sky = rng.choice(
        ("sunny", "rainy", "cloudy", "windy", f"{rng.randint(0, 30)} degrees", word(rng))
    )
    results = ((sky, f"The weather in {city}: {sky}"),)
    return Request(
        text, f"Weather in {city}", tool="get_weather", arguments={"city": city}, results=results
    )


def plain_call(rng: Random) -> Request:
    """A tool the model has never heard of, called by name and without arguments."""
    name = rng.choice((identifier(rng), f"{word(rng)}_{word(rng)}", f"{word(rng)}_{word(rng)}"))
    text = rng.choice(
        ("call {}", "use {}", "call the tool {}", "use the {} tool", "call the {} tool")
    ).format(name)
    result = phrase(rng, 3)
    results = ((result, f"The tool returned: {result}"),)
    return Request(polite(rng, text), f"Calling {name}", tool=name, results=results)


def create_and_run(rng: Random) -> Request:
    """Two steps: write a script, then start it."""
    said = phrase(rng)
    path = file_name(rng, [rng.choice(("py", "py", "sh", "js"))])
    ending = path.rsplit(".", 1)[-1]
    line = f"{ {'py': 'python', 'sh': 'sh', 'js': 'node'}[ending] } {path}"
    run = Request(
        "",
        "",
        tool="bash",
        arguments={"command": line},
        results=((said, f"The command printed: {said}"),) * 3
        + ((failure(rng), "The command failed."),),
    )
    verb, finish = one_of(rng, "create|write|make"), one_of(rng, "and run it|and then run it")
    text = f"{verb} {path} that prints {said} {finish}"
    arguments = {"content": PRINTS[ending].format(said), "filePath": path}
    results = (("Wrote file successfully.", ""),) * 4 + (
        (failure(rng), f"I could not create {path}."),
    )
    return Request(
        polite(rng, text),
        f"Creating {path}",
        tool="write",
        arguments=arguments,
        results=results,
        then=run,
    )


def two_wishes(rng: Random) -> Request:
    """Two steps, asked for in one sentence."""
    first = rng.choice((read, bash, edit, grep))(rng)
    second = rng.choice((read, bash, edit, grep))(rng)
    start = first.text.rstrip(".?")
    text = f"{start} and then {second.text[0].lower()}{second.text[1:]}"
    return Request(
        text,
        first.title,
        tool=first.tool,
        arguments=first.arguments,
        results=first.results,
        then=second,
    )


TOOLS: tuple[tuple[int, Callable[[Random], Request]], ...] = (
    (17, read),
    (21, bash),
    (24, write),
    (11, edit),
    (6, glob),
    (7, grep),
    (3, webfetch),
    (4, task),
    (1, skill),
    (2, todowrite),
    (3, weather),
    (3, plain_call),
    (4, create_and_run),
    (3, two_wishes),
)


def tool_use(rng: Random) -> Request:
    """A random request for a tool call."""
    weights = [weight for weight, _ in TOOLS]
    return rng.choices([make for _, make in TOOLS], weights)[0](rng)
