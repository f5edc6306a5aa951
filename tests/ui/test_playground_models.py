"""The playground with models that do what a small real one does not do on demand, or not at all."""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from llmstack.hub.demo_model import ensure_demo_model
from tests.e2e.conftest import CACHE
from tests.ui.browser import Visitor
from tests.ui.player import Player
from tests.ui.playground_model import png
from tests.ui.playground_swap import BLIND, PLAYER, playing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator

    from tests.cli.swaps import Swap


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swap]:
    small = ensure_demo_model(CACHE / "llmstack", lambda _: None)
    with playing(tmp_path_factory.mktemp("player"), small) as swap:
        yield swap


@pytest.fixture
def guest(browser: Browser, swap: Swap) -> Iterator[Visitor]:
    with Visitor(browser, f"http://127.0.0.1:{swap.port}") as visitor:
        yield visitor


def echoed(answer: Locator) -> dict[str, Any]:
    """The request that the model has sent back."""
    sent: dict[str, Any] = json.loads(str(answer.locator("pre code").text_content()))
    return sent


def test_a_hostile_answer_is_text(guest: Visitor) -> None:
    """Nothing of it runs, loads, or leads to this daemon; nor does the model's hostile name."""
    answer = Player(guest, PLAYER).whole("hostile")
    prose = answer.locator(".prose")
    expect(prose).to_contain_text('<script>document.title = "owned"</script><img src=x')
    expect(prose.locator("pre")).to_contain_text("</code></pre><svg onload")
    assert guest.page.title() == "Playground - llmstack"
    links = prose.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert links == ["http://192.0.2.1/spy.png"]
    assert prose.locator("script, img, iframe, style, svg, u").count() == 0
    expect(answer.locator(".turn-name")).to_have_text(PLAYER)


@pytest.mark.parametrize(
    ("word", "thought", "said"),
    [("reason", "First I think.", "Then I answer."), ("think", "Quietly.", "Aloud.")],
)
def test_thoughts_stand_apart(guest: Visitor, word: str, thought: str, said: str) -> None:
    answer = Player(guest, PLAYER).whole(word)
    expect(answer.locator(".prose")).to_have_text(said)
    summary = answer.locator("summary")
    expect(summary).to_contain_text("Thought for ")
    summary.click()
    expect(answer.locator("details .turn-text")).to_have_text(thought)


def test_a_tool_call_is_shown_as_one(guest: Visitor) -> None:
    answer = Player(guest, PLAYER).whole("tools")
    expect(answer.locator(".tool p")).to_have_text("Wants to call read_file")
    expect(answer.locator(".tool pre")).to_have_text('{"path": "<b>/etc/passwd"}')


def test_an_error_stands_in_the_conversation_and_can_be_tried_again(guest: Visitor) -> None:
    player = Player(guest, PLAYER)
    for word, error in {
        "fail": "the <b>engine</b> is out of memory",
        "break": "The answer broke off",
        "long": "too long for this model",
    }.items():
        answer = player.whole(word)
        expect(answer.locator(".turn-failed")).to_contain_text(error)
    expect(player.answers.first.locator(".prose")).to_have_text("It began")
    player.answers.last.get_by_role("button", name="Try again").click()
    expect(player.answers).to_have_count(3)
    expect(player.answers.last.locator(".turn-failed")).to_be_visible()
    # The browser itself speaks of the refusals.
    assert all("status of 400" in problem for problem in guest.problems)
    guest.problems.clear()


def test_settings_reach_the_model_and_empty_ones_are_not_sent(guest: Visitor) -> None:
    page = guest.page
    player = Player(guest, PLAYER)
    plain = echoed(player.whole("hello"))
    assert plain == {
        "model": PLAYER,
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    numbers = {
        "Temperature": "0",
        "Top p": "0.5",
        "Top k": "7",
        "Min p": "0.1",
        "Max. tokens": "9",
        "Seed": "1",
        "Presence": "-1",
        "Frequency": "0.5",
        "Repetition": "1.1",
    }
    for label, value in numbers.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Stop at").fill("END\n###")
    page.get_by_label("System prompt").fill("Be brief.")
    page.reload()  # they are kept
    page.get_by_role("button", name="New chat").click()
    sent = echoed(player.whole("hello"))
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    wanted = {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 7,
        "min_p": 0.1,
        "max_tokens": 9,
        "seed": 1,
        "presence_penalty": -1,
        "frequency_penalty": 0.5,
        "repeat_penalty": 1.1,
        "stop": ["END", "###"],
    }
    assert {name: sent[name] for name in wanted} == wanted
    page.get_by_role("button", name="Reset").click()
    assert not echoed(player.whole("hello")).keys() & wanted.keys()


def test_an_image_is_made_small_sent_and_not_kept(guest: Visitor) -> None:
    page = guest.page
    player = Player(guest, PLAYER)
    page.get_by_label("Files").set_input_files(
        {"name": "wide.png", "mimeType": "image/png", "buffer": png(4000, 100)}
    )
    expect(page.locator(".chip img")).to_be_visible()
    text, image = echoed(player.whole("What is it?"))["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is it?"}
    head, data = image["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert struct.unpack(">II", base64.b64decode(data)[16:24]) == (2048, 51)
    expect(player.asked.locator("img")).to_be_visible()
    player.choose(BLIND)
    expect(page.get_by_text("blind takes no images.")).to_be_visible()
    answer = player.whole("And now?")
    assert [one["content"] for one in echoed(answer)["messages"][::2]] == [
        "What is it?",
        "And now?",
    ]
    expect(answer.get_by_text("Images were not sent: blind gets none.")).to_be_visible()
    page.reload()
    expect(player.asked.first).to_contain_text("wide.png: not kept, not sent")


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_an_image_can_be_pasted_and_dropped(guest: Visitor, kind: str) -> None:
    player = Player(guest, PLAYER)
    player.message.evaluate(
        """async (area, [kind, data]) => {
          const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
          const files = new DataTransfer();
          files.items.add(new File([bytes], "cat.png", { type: "image/png" }));
          const about = { bubbles: true, cancelable: true };
          const event =
            kind === "paste"
              ? new ClipboardEvent(kind, { ...about, clipboardData: files })
              : new DragEvent(kind, { ...about, dataTransfer: files });
          area.dispatchEvent(event);
        }""",
        [kind, base64.b64encode(png(8, 8)).decode()],
    )
    expect(guest.page.locator(".chip")).to_contain_text("cat.png")
    guest.page.get_by_role("button", name="Remove cat.png").click()
    expect(guest.page.locator(".chip")).to_have_count(0)


def test_embeddings_of_a_real_model_say_what_is_alike(guest: Visitor) -> None:
    page = guest.page
    guest.open("playground")
    page.get_by_role("tab", name="Chat").press("ArrowRight")
    expect(page.get_by_role("tab", name="Embeddings")).to_be_focused()
    page.get_by_role("button", name="Compare").click()
    row = page.get_by_role("row").filter(has_text="The cat sleeps")
    expect(row.get_by_role("cell")).to_have_count(3)
    same, kitten, engine = (float(cell) for cell in row.get_by_role("cell").all_inner_texts())
    assert same == 1
    assert kitten > engine
    expect(page.get_by_text("576 dimensions")).to_be_visible()


def test_documents_are_ranked(guest: Visitor) -> None:
    page = guest.page
    guest.open("playground?tab=rerank")
    page.get_by_role("button", name="Rank").click()
    expect(page.locator(".ranked li").first).to_contain_text("The giant panda")
    expect(page.locator(".ranked li").last).to_contain_text("Paint")


def test_an_image_is_drawn_and_can_be_downloaded(guest: Visitor) -> None:
    page = guest.page
    guest.open("playground?tab=images")
    page.get_by_label("What to draw").fill("a teal square")
    page.get_by_label("How many").select_option("2")
    page.get_by_role("button", name="Draw").click()
    image = page.get_by_role("img", name="a teal square")
    expect(image).to_have_count(2)
    assert image.first.evaluate("image => image.naturalWidth") == 64
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").first.click()
    assert download.value.path().read_bytes() == png(64, 64)
