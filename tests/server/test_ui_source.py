"""What the web page's files may not contain: anything that would parse what models write."""

from __future__ import annotations

import re

import pytest

from llmstack.server.ui import FILES

NAMES = sorted(
    path.relative_to(FILES).as_posix()
    for path in FILES.rglob("*")
    if path.suffix in {".html", ".css", ".js", ".svg"}
)
MODULES = [name for name in NAMES if name.endswith(".js")]

#: What makes HTML or code of text.
PARSERS = (
    r"\b(inner|outer)HTML\b",
    r"\binsertAdjacentHTML\b",
    r"\bdocument\s*\.\s*write",
    r"\bcreateContextualFragment\b",
    r"\bDOMParser\b",
    r"\bsetHTML(Unsafe)?\b",
    r"\bparseHTMLUnsafe\b",
    r"\bsrcdoc\b",
    r"\beval\b",
    r"\bFunction\s*\(",
    r"\bset(Timeout|Interval)\s*\(\s*[\"'`]",
    r"\bjavascript:(?!` and the like)",
    r"\bcreatePolicy\b",
    r"\.on[a-z]+\s*=[^=>]",
)


@pytest.mark.parametrize("name", MODULES)
def test_no_module_parses_text_as_html_or_code(name: str) -> None:
    text = (FILES / name).read_text("utf-8")
    found = [match[0] for pattern in PARSERS for match in re.finditer(pattern, text)]
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    """The only addresses are names of formats, which nobody fetches."""
    text = (FILES / name).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    text = text.replace("http://www.w3.org/1998/Math/MathML", "")
    assert re.findall(r"(?:https?|wss?)://[\w.-]+", text) == []
    assert re.findall(r"[\"'(]//\w", text) == []
    assert "@import" not in text
    imported = re.findall(r"(?:from|import\()\s*[\"']([^\"']+)", text)
    assert all(path.startswith(("./", "../")) for path in imported)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith((".html", ".svg"))])
def test_no_markup_carries_script_or_style(name: str) -> None:
    text = (FILES / name).read_text("utf-8")
    assert not re.search(r"\son\w+\s*=", text)
    assert not re.search(r"\sstyle\s*=", text)
    assert "<style" not in text
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_read(name: str) -> None:
    lines = (FILES / name).read_text("utf-8").splitlines()
    assert len(lines) < 400


def test_every_import_leads_to_a_file_and_every_module_is_used() -> None:
    reached = {"app.js"}
    todo = ["app.js"]
    while todo:
        name = todo.pop()
        folder = (FILES / name).parent
        for path in re.findall(
            r"(?:from|import\(|import)\s*[\"'](\.[^\"']+)", (FILES / name).read_text("utf-8")
        ):
            found = (folder / path).resolve().relative_to(FILES.resolve()).as_posix()
            assert found in MODULES, f"{name} imports {path}"
            if found not in reached:
                reached.add(found)
                todo.append(found)
    assert reached == set(MODULES)


def test_every_style_sheet_is_linked() -> None:
    page = (FILES / "index.html").read_text("utf-8")
    linked = set(re.findall(r'href="/ui/(style/[^"]+)"', page))
    assert linked == {name for name in NAMES if name.endswith(".css")}
