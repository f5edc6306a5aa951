"""Requests for the tools that work on files and run commands: read, write, bash and so on."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from typing import TYPE_CHECKING

from talk import OPERATIONS, Request, function_code
from words import FOLDERS, command, file_name, identifier, nonsense, one_of, phrase, word

if TYPE_CHECKING:
    from random import Random

PRINTS = {
    "py": 'print("{}")\n',
    "js": 'console.log("{}");\n',
    "ts": 'console.log("{}");\n',
    "sh": 'echo "{}"\n',
    "rb": 'puts "{}"\n',
}
_LANGUAGE_OF = {"py": "Python", "go": "Go", "js": "JavaScript"}


def polite(rng: Random, text: str) -> str:
    """The same wish in another tone: capitalised, with please, as a question."""
    kind = rng.random()
    if kind < 0.5:
        return text
    if kind < 0.7:
        return text[0].upper() + text[1:]
    if kind < 0.8:
        return f"{rng.choice(('please', 'Please'))} {text}"
    if kind < 0.9:
        return f"{rng.choice(('can you', 'Can you', 'could you please'))} {text}?"
    return text[0].upper() + text[1:] + rng.choice(("", "."))


def failure(rng: Random) -> str:
    """What an agent reports when a tool call failed or was not allowed."""
    return rng.choice(
        (
            f"Error: {phrase(rng)}",
            f"Error: {phrase(rng, 4)}",
            "The user rejected permission to use this specific tool call.",
            "The user has specified a rule which prevents you from using this specific tool call.",
        )
    )


def folders(rng: Random) -> str:
    """An absolute folder, one to six levels deep."""
    return "".join(f"/{word(rng)}" for _ in range(rng.randint(1, 6)))


def read(rng: Random) -> Request:
    path = file_name(rng)
    text = one_of(
        rng,
        "read {}|read {}|read the file {}|show me {}|open {}|look at {}|review {}|show {}"
        "|print the file {}",
    )
    listing = f"<path>{folders(rng)}/{path}</path>"
    done = f"I have read {path}."
    results = (
        (listing, done),
        (listing, done),
        (f"1: {phrase(rng)}", done),
        (phrase(rng), done),
        (f"Error: File not found: {folders(rng)}/{path}", f"I could not read {path}."),
        (failure(rng), f"I could not read {path}."),
    )
    return Request(
        polite(rng, text.format(path)),
        f"Reading {path}",
        tool="read",
        arguments={"filePath": path},
        results=results,
    )


def bash(rng: Random) -> Request:
    line = command(rng)
    text = one_of(
        rng,
        "run {}|run {}|run {}|execute {}|run the command {}|run `{}`|run this command: {}"
        "|use bash to run {}",
    ).format(line)
    if rng.random() < 0.06:
        text, line = rng.choice(
            (
                ("run the tests", "pytest -q"),
                ("list the files", "ls"),
                ("list files", "ls"),
                ("what time is it", "date"),
                ("print the working directory", "pwd"),
                ("show the git log", "git log"),
            )
        )
    text = polite(rng, text) if rng.random() < 0.5 and text[-1] not in ".`" else text
    output = rng.choice(
        (
            phrase(rng, 4),
            identifier(rng),
            f"total {rng.randint(0, 99)}",
            "On branch main",
            f"{rng.randint(1, 99)} passed in 0.{rng.randint(10, 99)}s",
            line.removeprefix("echo "),
        )
    )
    silent = "The command finished without output."
    results = ((output, f"The command printed: {output}"),) * 4 + (
        ("(no output)", silent),
        ("", silent),
        (failure(rng), "The command failed."),
        (f"bash: {nonsense(rng)}: command not found", "The command failed."),
    )
    arguments = {"command": line}
    if rng.random() < 0.06:
        arguments["description"] = f"Run {line}"
    return Request(text, f"Running {line}", tool="bash", arguments=arguments, results=results)


def _content(rng: Random) -> tuple[str, str, str]:
    """Path, wish and content of a new file."""
    kind = rng.random()
    if kind < 0.4:
        ending = rng.choice((*PRINTS, "py", "py", "py", "js"))
        said = phrase(rng)
        quoted = rng.choice((said, said, said, f'"{said}"'))
        wish = rng.choice(
            (" that prints {}", " that prints {}", " which prints {}", " to print {}")
        ).format(quoted)
        return file_name(rng, [ending]), wish, PRINTS[ending].format(said)
    if kind < 0.55:
        ending = rng.choice(list(_LANGUAGE_OF))
        name, (_, verbs, operator) = rng.choice(list(OPERATIONS.items()))
        wish = f" with a function that {verbs} two numbers"
        return file_name(rng, [ending]), wish, function_code(_LANGUAGE_OF[ending], name, operator)
    path, said = file_name(rng), phrase(rng, 4)
    if kind < 0.8:
        wish = rng.choice(
            (" with the text {}", " containing {}", " with the content {}", " that says {}")
        ).format(said)
        return path, wish, said + "\n"
    ending = path.rsplit(".", 1)[-1]
    return path, "", PRINTS[ending].format("hello") if ending in PRINTS else "hello\n"


def write(rng: Random) -> Request:
    path, wish, content = _content(rng)
    start = one_of(
        rng,
        "create|create|create|write|make|add|create a file|create the file|make a file"
        "|create a file called|write a file named|create a new file",
    )
    arguments = {"content": content, "filePath": path}
    if rng.random() < 0.12:
        arguments = {"filePath": path, "content": content}
    done = f"I have created {path}."
    results = (("Wrote file successfully.", done),) * 3 + (
        (failure(rng), f"I could not create {path}."),
    )
    return Request(
        polite(rng, f"{start} {path}{wish}"),
        f"Creating {path}",
        tool="write",
        arguments=arguments,
        results=results,
    )


def edit(rng: Random) -> Request:
    path = file_name(rng)
    old, new = rng.choice(
        ((word(rng), word(rng)), (identifier(rng), identifier(rng)), (phrase(rng), phrase(rng)))
    )
    text = rng.choice(
        (
            "replace {0} with {1} in {2}",
            "replace {0} with {1} in {2}",
            "replace {0} by {1} in {2}",
            "in {2} replace {0} with {1}",
            "change {0} to {1} in {2}",
            "change {0} to {1} in {2}",
            "rename {0} to {1} in {2}",
            "edit {2}: replace {0} with {1}",
        )
    ).format(old, new, path)
    results = (("Edit applied successfully.", f"I have edited {path}."),) * 3 + (
        (
            rng.choice(("Error: Could not find oldString in the file", failure(rng))),
            f"I could not edit {path}.",
        ),
    )
    arguments = {"filePath": path, "oldString": old, "newString": new}
    return Request(
        polite(rng, text), f"Editing {path}", tool="edit", arguments=arguments, results=results
    )


def glob(rng: Random) -> Request:
    ending = rng.choice(("py", "js", "md", "go", "txt", "json", "ts", nonsense(rng)))
    folder = rng.choice(FOLDERS)
    text, pattern = rng.choice(
        (
            (f"find all {ending} files", f"**/*.{ending}"),
            (f"list the {ending} files", f"**/*.{ending}"),
            (f"find *.{ending}", f"*.{ending}"),
            (f"find files matching {folder}/*.{ending}", f"{folder}/*.{ending}"),
            (f"which {ending} files are there", f"**/*.{ending}"),
            (f"glob **/*.{ending}", f"**/*.{ending}"),
        )
    )
    if rng.random() < 0.35:
        pattern = file_name(rng)
        text = rng.choice(
            (
                f"find {pattern}",
                f"find the file {pattern}",
                f"where is {pattern}",
                f"locate {pattern}",
            )
        )
    found = f"I have listed the files matching {pattern}."
    results = (
        (f"{folders(rng)}/{file_name(rng)}", found),
        ("No files found", f"No files match {pattern}."),
    )
    return Request(
        polite(rng, text),
        f"Finding {pattern}",
        tool="glob",
        arguments={"pattern": pattern},
        results=results,
    )


def grep(rng: Random) -> Request:
    pattern = rng.choice((word(rng), identifier(rng), phrase(rng, 2)))
    text = one_of(
        rng,
        "search for {}|grep {}|grep for {}|search the code for {}|search for {} in the code"
        "|find uses of {}",
    ).format(pattern)
    found = f"I have searched for {pattern}."
    results = (
        (f"Found {rng.randint(1, 30)} matches", found),
        ("No files found", f"Nothing matches {pattern}."),
    )
    return Request(
        polite(rng, text),
        f"Searching for {pattern}",
        tool="grep",
        arguments={"pattern": pattern},
        results=results,
    )
