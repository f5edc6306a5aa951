"""The playground on a real stack with a real small model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.e2e.stack import eventually
from tests.ui.player import Player, begun, ended

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.e2e.stack import Stack
    from tests.ui.browser import Visitor

STORY = "Tell me a very long story about a lighthouse, with many chapters."
PNG = b"\x89PNG\r\n\x1a\n"


def idle(stack: Stack) -> bool:
    """Whether nobody holds the model."""
    return stack.model_state("code-fast")[1] == 0


def test_an_answer_streams_in_and_says_how_fast_it_was(visitor: Visitor) -> None:
    player = Player(visitor, "code-fast", max_tokens=250)
    answer = player.ask(STORY)
    begun(answer)
    early = answer.locator(".prose").inner_text()
    ended(answer)
    whole = answer.locator(".prose").inner_text()
    assert len(whole) > len(early) > 0
    line = answer.locator(".turn-speed")
    expect(line).to_have_text(
        re.compile(r"first token .+ t/s · \d+ tokens in, \d+ cached · \d+ out")
    )
    expect(player.message).to_be_focused()
    expect(
        visitor.page.get_by_role("status").filter(has_text="Answer of code-fast")
    ).to_be_attached()
    visitor.page.reload()
    expect(player.answers.locator(".prose")).to_have_text(re.compile(re.escape(early[:20])))


def test_stop_frees_the_model_and_what_was_written_stays(visitor: Visitor, stack: Stack) -> None:
    player = Player(visitor, "code-fast")
    for stop in (player.stop.click, lambda: visitor.page.keyboard.press("Escape")):
        answer = player.ask(STORY)
        begun(answer)
        assert not idle(stack)
        stop()
        expect(answer.get_by_text("Stopped.")).to_be_visible()
        expect(answer.locator(".prose")).not_to_be_empty()
        expect(player.message).to_be_focused()
        eventually(lambda: idle(stack), "the model is idle", within=5)


def test_edit_drops_what_followed_and_regenerate_asks_again(visitor: Visitor) -> None:
    page = visitor.page
    player = Player(visitor, "code-fast", max_tokens=8)
    player.whole("Say one.")
    second = player.whole("Say two.")
    second.get_by_role("button", name="Regenerate").click()
    ended(player.answers.last)
    expect(player.answers).to_have_count(2)
    # The first question has more behind it than its answer: that is asked about.
    player.asked.first.get_by_role("button", name="Edit").click()
    page.get_by_label("Your message").fill("Say three.")
    page.get_by_label("Your message").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Send it anew").click()
    expect(player.asked).to_have_count(1)
    expect(player.asked).to_contain_text("Say three.")
    ended(player.answers.last)
    expect(player.answers).to_have_count(1)
    # The last one asks nothing.
    player.asked.last.get_by_role("button", name="Edit").click()
    page.get_by_label("Your message").fill("Say four.")
    page.get_by_label("Your message").press("Enter")
    expect(player.asked).to_contain_text("Say four.")
    ended(player.answers.last)
    player.answers.last.get_by_role("button", name="Delete").click()
    expect(player.answers).to_have_count(0)
    page.get_by_role("button", name="New chat").click()
    expect(player.asked).to_have_count(0)
    page.get_by_role("button", name="Bring the last").click()
    expect(player.asked).to_contain_text("Say four.")


def test_auto_says_which_model_answers_and_why(visitor: Visitor) -> None:
    player = Player(visitor, "auto", max_tokens=8)
    answer = player.whole("Which is larger, the sun or the moon?")
    expect(answer.locator("header")).to_have_text(re.compile(r"auto → code-(fast|smart).+"))


def test_an_answer_goes_on_while_the_user_looks_at_another_page(visitor: Visitor) -> None:
    page = visitor.page
    player = Player(visitor, "code-fast", max_tokens=250)
    answer = player.ask(STORY)
    begun(answer)
    early = answer.locator(".prose").inner_text()
    page.get_by_role("link", name="Logs", exact=True).click()
    expect(player.answers).to_have_count(0)
    page.get_by_role("link", name="Playground", exact=True).click()
    ended(player.answers.last)
    whole = player.answers.last.locator(".prose").inner_text()
    assert len(whole) > len(early)
    expect(player.answers.last.locator(".turn-speed")).to_contain_text("out")


def test_new_text_does_not_pull_back_who_has_scrolled_up(visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 400})
    player = Player(visitor, "code-fast", max_tokens=250)
    answer = player.ask("\n".join([STORY, *map(str, range(40))]))
    begun(answer)
    page.mouse.move(500, 200)
    page.mouse.wheel(0, -3000)
    newest = page.get_by_role("button", name="Newest")
    expect(newest).to_be_visible()
    ended(answer)
    assert page.evaluate("scrollY") < 200
    newest.click()
    expect(newest).to_be_hidden()


def test_images_are_refused_where_the_model_takes_none_and_texts_are_sent(visitor: Visitor) -> None:
    page = visitor.page
    player = Player(visitor, "code-fast", max_tokens=4)
    player.whole("hello")  # loads it: now it tells
    expect(page.get_by_text("code-fast takes no images.")).to_be_visible()
    choose = page.get_by_label("Files")
    choose.set_input_files({"name": "cat.png", "mimeType": "image/png", "buffer": PNG})
    expect(page.locator(".notice")).to_contain_text("code-fast takes no images.")
    choose.set_input_files({"name": "a.md", "mimeType": "text/plain", "buffer": b"```x\n" * 9})
    expect(page.locator(".chip")).to_contain_text("a.md")
    with page.expect_request("**/v1/chat/completions") as asked:
        player.whole("What is in it?")
    sent = asked.value.post_data_json["messages"][-1]["content"]
    assert sent.startswith("File: a.md\n````\n```x\n")
    assert sent.endswith("\n````\n\nWhat is in it?")


def test_why_nothing_comes_yet_and_what_nobody_offers_is_said(visitor: Visitor) -> None:
    page = visitor.page
    player = Player(visitor, "code-fast", max_tokens=4)
    player.whole("hello")
    expect(
        page.get_by_text("No model here offers embeddings, reranking or images.")
    ).to_be_visible()
    expect(page.get_by_label("Temperature")).to_have_attribute("placeholder", "0.8")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/chat/completions", hold)
    answer = player.ask("hello")
    expect(answer.locator(".turn-wait")).to_contain_text("code-fast reads the prompt")
    held[0].continue_()
    ended(answer)
    page.get_by_label("Temperature").fill("7")
    expect(page.get_by_role("alert")).to_have_text("Temperature is a number from 0 to 2.")
    player.message.fill("hello")
    player.message.press("Enter")
    expect(player.asked).to_have_count(2)
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Temperature")).to_have_value("")
