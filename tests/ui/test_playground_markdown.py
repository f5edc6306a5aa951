"""What models write, as elements: what it should look like, and that nothing gets through."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.browser import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.e2e.stack import Stack

TABLE = (
    '<table><thead><tr><th class="at-center" scope="col">a</th>'
    '<th class="at-right" scope="col">b</th></tr></thead><tbody><tr>'
    '<td class="at-center"><code>x|y</code></td><td class="at-right">|</td></tr></tbody></table>'
)
#: Markdown, and the elements that it becomes; attributes that all links have are left out.
CASES = [
    ("one\ntwo", "<p>one\ntwo</p>"),
    ("a  \nb\\\nc", "<p>a<br>b<br>c</p>"),
    ("# A\n###### F #", "<h3>A</h3><h6>F</h6>"),
    ("### A\n#### B\n# C", "<h3>A</h3><h4>B</h4><h3>C</h3>"),
    ("#hash", "<p>#hash</p>"),
    ("**b** *i* ~~d~~ `c`", "<p><strong>b</strong> <em>i</em> <del>d</del> <code>c</code></p>"),
    ("__b__ _i_", "<p><strong>b</strong> <em>i</em></p>"),
    ("***both***", "<p><em><strong>both</strong></em></p>"),
    ("2 * 3 * 4, snake_case_name, ~5", "<p>2 * 3 * 4, snake_case_name, ~5</p>"),
    ("`` a`b `` \\*no\\*", "<p><code>a`b</code> *no*</p>"),
    ("&lt;b&gt; &#x41; &nope;", "<p>&lt;b&gt; A &amp;nope;</p>"),
    ("<b onclick=x>hi</b>", "<p>&lt;b onclick=x&gt;hi&lt;/b&gt;</p>"),
    ("[t](https://e.com/a_(b) \"title\")", '<p><a href="https://e.com/a_(b)">t</a></p>'),
    ("[**t**](<https://e.com/>)", '<p><a href="https://e.com/"><strong>t</strong></a></p>'),
    ("![i](https://e.com/i.png)", '<p><a href="https://e.com/i.png">Image: i</a></p>'),
    ("[x](javascript:alert(1))", "<p>x (javascript:alert(1))</p>"),
    ("[x](/unload) [y](http://localhost/)", "<p>x (/unload) y (http://localhost/)</p>"),
    ("(https://e.com/x).", '<p>(<a href="https://e.com/x">https://e.com/x</a>).</p>'),
    ("<https://e.org/>", '<p><a href="https://e.org/">https://e.org/</a></p>'),
    ("- a\n  - c\n\n\n* d", "<ul><li>a<ul><li>c</li></ul></li></ul><ul><li>d</li></ul>"),
    ("3. a\n4. b\n\n   p", '<ol start="3"><li><p>a</p></li><li><p>b</p><p>p</p></li></ol>'),
    ("1. a\n  - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
    ("> a\nb\n> > c", "<blockquote><p>a\nb</p><blockquote><p>c</p></blockquote></blockquote>"),
    ("a\n\n---\n***", "<p>a</p><hr><hr>"),
    ("|a|b|\n|:-:|-:|\n|`x|y`|\\||", TABLE),
    ("```py x\n<b>\n```\nafter", "[py x]<pre><code>&lt;b&gt;</code></pre><p>after</p>"),
    ("~~~\n```\n~~~~", "[text]<pre><code>```</code></pre>"),
    ("text\n```js\nlet", "<p>text</p>[js]<pre><code>let</code></pre>"),
    ("a\r\nb\r\n\r\n- c\r\n", "<p>a\nb</p><ul><li>c</li></ul>"),
]  # fmt: skip

#: What is begun at the end of a text that goes on.
OPEN = [
    ("so **bo", "<p>so <strong>bo</strong></p>"),
    ("so **bold*", "<p>so <strong>bold</strong></p>"),
    ("a `co", "<p>a <code>co</code></p>"),
    ("see [the do](https://e.c", "<p>see the do</p>"),
    ("- a\n- **b", "<ul><li>a</li><li><strong>b</strong></li></ul>"),
    ("2 * 3", "<p>2 * 3</p>"),
]

#: A megabyte or so of what could take more time than its length, or a stack too deep.
MONSTERS = {
    "stars": "x" + "*" * 1_000_000,
    "backticks": "x" + "`" * 1_000_000,
    "brackets": "[" * 1_000_000,
    "links": "[a](" * 250_000,
    "quotes": ">" * 10_000 + " x",
    "spaced quotes": "> " * 10_000 + "x",
    "lists": "- " * 100_000 + "x",
    "nested lists": "\n".join("  " * depth + "- a" for depth in range(1000)),
    "bars": "|" * 100_000 + "\n" + "|-" * 100_000,
    "emphasis": ("*a _b **c " * 4_900 + "\n\n") * 20,
    "all": ("`*_[(<&]!~\\" * 4_500 + "\n\n") * 20,
    "links in paragraphs": ("[a](b " * 8_000 + "\n\n") * 20,
    "addresses": ("http://[x](http" * 3_000 + "\n\n") * 20,
    "runs of backticks": "\n\n".join(" ".join("`" * n for n in range(1, 300)) for _ in range(20)),
}

SCRIPT = """
const PLAIN = "P H3 H4 H5 H6 UL LI BLOCKQUOTE HR BR EM STRONG DEL CODE TABLE THEAD TBODY TR SPAN";
window.show = async (text, open = false) => {
  const { Markdown } = await import("/ui/lib/markdown.js");
  const host = document.createElement("div");
  new Markdown(host).show(text, open);
  return host;
};
window.plain = (host) => {
  for (const link of host.querySelectorAll("a")) {
    for (const name of ["rel", "target", "title"]) link.removeAttribute(name);
  }
  for (const pre of host.querySelectorAll("pre")) {
    for (const { name } of [...pre.attributes]) pre.removeAttribute(name);
  }
  for (const code of host.querySelectorAll("div.code")) {
    code.replaceWith(`[${code.querySelector("span").textContent}]`, code.querySelector("pre"));
  }
  for (const table of host.querySelectorAll("div.scrolls")) table.replaceWith(...table.childNodes);
  return host.innerHTML;
};
window.odd = (host) => [...host.querySelectorAll("*")].flatMap((element) => {
  const allowed = {
    A: ["href", "rel", "target", "title"], OL: ["start"], TH: ["class", "scope"], TD: ["class"],
    DIV: ["class", "role", "aria-label", "tabindex"], PRE: ["tabindex", "role", "aria-label"],
    BUTTON: ["type"], ...Object.fromEntries(PLAIN.split(" ").map((name) => [name, []])),
  }[element.tagName];
  if (!allowed) return [element.tagName];
  if (element.tagName === "A" && !/^(https?:|mailto:)/.test(element.href)) return [element.href];
  return element.getAttributeNames().filter((name) => !allowed.includes(name));
});
"""


@pytest.fixture(scope="module")
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    with Visitor(browser, stack.gateway) as visitor:
        visitor.page.add_init_script(SCRIPT)
        visitor.open("playground")
        yield visitor.page


def shown(page: Page, text: str, *, going_on: bool = False) -> str:
    call = "async ([text, open]) => plain(await show(text, open))"
    return str(page.evaluate(call, [text, going_on]))


@pytest.mark.parametrize(("text", "elements"), CASES)
def test_markdown_becomes_elements(page: Page, text: str, elements: str) -> None:
    assert shown(page, text) == elements


@pytest.mark.parametrize(("text", "elements"), OPEN)
def test_what_is_unfinished_looks_finished_while_it_goes_on(
    page: Page, text: str, elements: str
) -> None:
    assert shown(page, text, going_on=True) == elements


@pytest.mark.parametrize("name", MONSTERS)
def test_no_text_takes_long_or_overflows(page: Page, name: str) -> None:
    call = """async (text) => {
      const began = performance.now();
      const host = await show(text);
      return [performance.now() - began, odd(host), host.textContent.length];
    }"""
    took, odd, length = page.evaluate(call, MONSTERS[name])
    assert odd == []
    assert length > 0
    assert took < 5_000


PIECES = [
    *"*_`~[]()<>!#-+=|\\&:\n\n\n\n  ",
    *(
        "**",
        "```",
        "\n```js\n",
        "\n> ",
        "\n- ",
        "\n1. ",
        "\n  - ",
        "\n|a|b|\n|-|-|\n",
        "](",
        "![",
        "<b>",
    ),
    *(
        "http://e.com/",
        "javascript:x",
        "\t",
        "    ",
        "\r\n",
        "&lt;",
        "&#0;",
        "</p>",
        "\u2028",
        "\U0001f600",
        "\n\n",
    ),
    *("<img src=x onerror=y>", "\n# ", "\n---\n", "$", "mailto:a@b", "data:text/html,", '"', "'"),
]


def test_any_text_keeps_its_words_and_makes_only_allowed_elements(page: Page) -> None:
    """And shown piece by piece it ends as it would at once."""
    chance = random.Random(7)
    texts: list[list[str]] = []
    for _ in range(400):
        words = (f"w{number}w" for number in range(100))
        pieces = [
            next(words) if chance.random() < 0.3 else chance.choice(PIECES)
            for _ in range(chance.randrange(1, 60))
        ]
        texts.append(pieces)
    call = """async (texts) => {
      const { Markdown } = await import("/ui/lib/markdown.js");
      return texts.map((pieces) => {
        const host = document.createElement("div");
        const growing = new Markdown(host);
        let text = "";
        for (const piece of pieces) growing.show(text += piece, true);
        growing.show(text);
        const once = document.createElement("div");
        new Markdown(once).show(text);
        const links = [...host.querySelectorAll("a")].map((link) => link.href);
        const words = [host.textContent, ...links].join(" ");
        const made = [host.innerHTML, once.innerHTML];
        return { text, words, same: host.isEqualNode(once), odd: odd(host), made };
      });
    }"""
    found: list[dict[str, Any]] = page.evaluate(call, texts)
    for pieces, result in zip(texts, found, strict=True):
        assert result["odd"] == [], result["text"]
        assert result["same"], result
        missing = [
            p for p in pieces if p[0] == "w" and p.endswith("w") and p not in result["words"]
        ]
        assert not missing, result
