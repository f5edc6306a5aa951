"""Word lists and random names the synthetic corpus is made of."""

# ruff: noqa: INP001 - a folder of scripts, not a package

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


def one_of(rng: Random, choices: str) -> str:
    """One of the alternatives, which are separated by ``|``."""
    return rng.choice(choices.split("|"))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "China": "Beijing",
    "India": "New Delhi",
    "Brazil": "Brasilia",
    "Canada": "Ottawa",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Poland": "Warsaw",
    "Portugal": "Lisbon",
    "Greece": "Athens",
    "Turkey": "Ankara",
    "Peru": "Lima",
    "Chile": "Santiago",
    "Cuba": "Havana",
    "Ireland": "Dublin",
    "Austria": "Vienna",
    "Hungary": "Budapest",
    "Thailand": "Bangkok",
    "Vietnam": "Hanoi",
    "Iran": "Tehran",
    "Iraq": "Baghdad",
    "Nepal": "Kathmandu",
    "Ghana": "Accra",
}

WORDS = _words(
    "main app util test hello index server client config models setup core data parser router"
    " readme notes run cli api cache queue login user users page form table report invoice"
    " order cart search mail worker task job log logger metrics health proxy token session auth"
    " store db schema migration query event hook plugin theme color image video audio file"
    " files path build deploy release docs guide demo example sample world blue red green fast"
    " slow new old first last total count number name value key item list map tree node graph"
    " matrix vector model engine driver device sensor robot game player score level board chess"
    " timer clock date calendar budget bank account payment price stock weather city street"
    " garden flower river mountain ocean coffee bread apple orange lemon music song dance book"
    " paper pencil letter message chat bot agent prompt context window button menu icon font"
    " style layout grid panel status error retry limit rate batch stream buffer socket port"
    " host"
)

EXTENSIONS = _words(
    "py js md txt go rs json ts sh rb toml yaml yml html css sql csv ini cfg c h cpp java log"
    " xml tsx"
)
BARE_FILES = _words("Makefile Dockerfile README LICENSE .gitignore .env")
FOLDERS = _words("src lib tests docs app pkg cmd scripts data config tmp")
COMMANDS = (
    "ls|ls -la|pwd|git status|git log|git diff|git pull|git push|git branch|echo|echo hello"
    "|python main.py|date|whoami|cat README.md|uname -a|make|make test|go test|go build"
    "|npm test|npm install|npm run build|cargo build|df -h|ps|env|hostname|tree|top|uptime"
    "|ruff check|pytest|pytest -q|docker ps|python --version|node --version|ls src"
)

_CONSONANTS = _words(
    "b c d f g h j k l m n p q r s t v w x z br ch cl dr fl gr kr pl sh sk sn st th tr"
)
_VOWELS = _words("a e i o u y ai ea ee io oa ou")
_CODAS = ("", "", "", "n", "r", "s", "t", "l", "m", "x", "k", "nd", "rt", "ng")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def nonsense(rng: Random) -> str:
    """A made-up word: one to three syllables, or now and then plain random letters."""
    if rng.random() < 0.3:
        return "".join(rng.choices(_LETTERS, k=rng.randint(1, 8)))
    count = rng.choice((1, 2, 2, 2, 3))
    return "".join(
        rng.choice(_CONSONANTS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count)
    )


def word(rng: Random) -> str:
    """A known or a made-up word."""
    return rng.choice(WORDS) if rng.random() < 0.4 else nonsense(rng)


def phrase(rng: Random, longest: int = 3) -> str:
    """One to ``longest`` words separated by spaces."""
    return " ".join(word(rng) for _ in range(rng.randint(1, longest)))


def identifier(rng: Random) -> str:
    """A name as it occurs in code: ``cache``, ``load_cache``, ``loadCache``, ``Cache2``."""
    first = word(rng)
    kind = rng.random()
    if kind < 0.45:
        name = first
    elif kind < 0.65:
        name = f"{first}_{word(rng)}"
    elif kind < 0.75:
        name = first + word(rng).capitalize()
    elif kind < 0.85:
        name = first.capitalize()
    elif kind < 0.9:
        name = first.upper()
    else:
        name = f"{first}-{word(rng)}"
    return name + (str(rng.randint(0, 999)) if rng.random() < 0.12 else "")


def file_name(rng: Random, extensions: Sequence[str] = ()) -> str:
    """A relative file path, usually without a folder; ``extensions`` limits how it may end."""
    if not extensions and rng.random() < 0.03:
        return rng.choice(BARE_FILES)
    ends = extensions or (EXTENSIONS if rng.random() < 0.6 else EXTENSIONS[:4])
    name = f"{identifier(rng)}.{rng.choice(ends)}"
    if rng.random() < 0.2:
        name = f"{rng.choice(FOLDERS) if rng.random() < 0.6 else word(rng)}/{name}"
    return name


def command(rng: Random) -> str:
    """A shell command, well known or with made-up arguments."""
    if rng.random() < 0.25:
        return one_of(rng, COMMANDS)
    makers = (
        lambda: f"echo {phrase(rng)}",
        lambda: f"cat {file_name(rng)}",
        lambda: f"python {file_name(rng, ['py'])}",
        lambda: f"node {file_name(rng, ['js'])}",
        lambda: f"pytest {file_name(rng, ['py'])}",
        lambda: f"ls {rng.choice(FOLDERS)}/{word(rng)}",
        lambda: f"mkdir {identifier(rng)}",
        lambda: f"touch {file_name(rng)}",
        lambda: f"rm {file_name(rng)}",
        lambda: f"wc -l {file_name(rng)}",
        lambda: f"cp {file_name(rng)} {file_name(rng)}",
        lambda: f"pip install {identifier(rng)}",
        lambda: f"npm run {identifier(rng)}",
        lambda: f"make {identifier(rng)}",
        lambda: f"git checkout {identifier(rng)}",
        lambda: f"git add {file_name(rng)}",
        lambda: f'git commit -m "{phrase(rng)}"',
        lambda: f'echo "{phrase(rng)}"',
        lambda: f"grep -r {word(rng)} .",
        lambda: f"{nonsense(rng)} {word(rng)} --{word(rng)}",
        lambda: f"{nonsense(rng)} -{rng.choice(_LETTERS)} {word(rng)}",
        lambda: f"./{word(rng)}.sh",
        lambda: f"sleep {rng.randint(1, 99)}",
    )
    return rng.choice(makers)()


def url(rng: Random) -> str:
    """A web address."""
    base = f"https://{word(rng)}.{rng.choice(('com', 'org', 'dev', 'net', 'io'))}"
    return base + (f"/{word(rng)}" if rng.random() < 0.5 else "")
