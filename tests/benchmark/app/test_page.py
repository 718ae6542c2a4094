"""The page in a real browser: drop a photo, see candidates come, pick one, take the result."""

import base64

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.benchmark.report.browser import opened, reason_to_skip

PATIENCE = 300_000  # milliseconds for what takes seconds
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "a browser is here")


@pytest.fixture(scope="module")
def browser():
    with opened() as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    """The page, opened; whatever the browser's console says fails the test."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: request.url.startswith(server.url) or said.append(request.url))
    page.set_default_timeout(PATIENCE)
    page.goto(server.url)
    yield page
    context.close()
    assert said == []


def drop(page, path):
    page.evaluate(DROP, [path.name, base64.b64encode(path.read_bytes()).decode()])


def fits(page):
    """Whether nothing sticks out of the window to the right."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_photo_is_dropped_candidates_come_one_is_picked_and_taken(page, server, photo, tmp_path):
    assert fits(page)
    drop(page, photo)
    page.locator("#status", has_text="<b>photo</b>.png, 110 × 96 pixels").or_(
        page.locator("#card-1")
    ).wait_for()
    page.locator("#card-2").wait_for()
    card = page.locator("#card-1")
    assert "Blurs of up to 15 px · " in card.locator("h3").inner_text()
    assert "kernel size 15 px" in card.locator(".numbers").inner_text().lower()
    assert card.locator(".verdict").inner_text()
    for picture in card.locator("img").all():
        assert picture.evaluate("(image) => image.complete && image.naturalWidth > 0")
    page.locator("#result").wait_for()
    assert page.locator("h3", has_text="suggested").count() == 1
    assert fits(page)
    other = page.locator(".card:not(.picked)").first
    number = other.get_attribute("id").removeprefix("card-")
    other.locator(".pick").click()
    page.locator(f"#download[href$='/result-{number}.png']").wait_for()
    assert page.locator(".card.picked").get_attribute("id") == f"card-{number}"
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename.endswith("_deblurred.png")
    download.value.save_as(tmp_path / "result.png")
    written = server.session.folder(1) / f"result-{number}.png"
    assert (tmp_path / "result.png").read_bytes() == written.read_bytes()

    page.locator("#size").fill("25")
    page.keyboard.press("Enter")
    page.locator("#card-4").wait_for()
    page.locator("#slider").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#compare").evaluate("(each) => each.style.getPropertyValue('--share')") == "53%"

    page.locator("#size").fill("25")
    page.keyboard.press("Enter")
    page.locator("#card-4.picked").wait_for()  # a size that was tried counts once
    assert page.locator(".card").count() == 4

    page.reload()  # the page keeps nothing itself
    page.locator("#card-4").wait_for()
    page.locator("#result").wait_for()


def test_a_part_is_drawn_and_a_kernel_is_given(page, photo, tmp_path):
    with Image.open(photo) as given:
        text = PngInfo()
        text.add_text("Author", "me")
        given.save(tmp_path / "mine.png", pnginfo=text)
    page.locator("#effort").select_option("low")
    drop(page, tmp_path / "mine.png")
    page.locator("#notes", has_text="Not read from the photo: its text (Author)").wait_for()
    page.locator("#more-options summary").click()
    box = page.locator("#chooser-photo").bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
    page.mouse.up()
    left, top, width, height = map(int, page.locator("#part").input_value().split(","))
    assert (abs(left - 11), abs(top - 19), abs(width - 88), abs(height - 67)) <= (1, 1, 1, 1)
    drawn = page.locator("#frame").bounding_box()
    assert drawn["width"] == pytest.approx(0.8 * box["width"], abs=6)
    assert fits(page)
    page.get_by_text("Look for the kernel again").click()
    page.locator("#card-1").wait_for()
    size = page.locator("#card-1 .part").evaluate("(each) => [each.naturalWidth, each.naturalHeight]")
    assert size == [width, height]
    assert page.locator("#effort").input_value() == "low"

    np.save(tmp_path / "k.npy", np.ones((1, 7)) / 7)
    page.locator("#kernel").set_input_files(tmp_path / "k.npy")
    page.locator("h3", has_text="Given kernel, 7 px").wait_for()
    page.locator("#result").wait_for()
    assert page.locator(".card").count() == 1
    assert page.locator("#more").is_hidden()


def test_a_bad_file_gives_one_line_and_a_good_one_removes_it(page, photo, tmp_path):
    (tmp_path / "notes.png").write_text("<img src=x onerror=alert(1)>")
    drop(page, tmp_path / "notes.png")
    page.locator("#error").wait_for()
    expected = "notes.png: not a photograph that can be read; convert it to PNG or JPEG"
    assert page.locator("#error").inner_text() == expected
    assert page.locator("#work").is_hidden()
    page.locator("#file").set_input_files(photo)
    page.locator("#cancel").click()  # at once: the work takes seconds to begin, and may then end soon
    page.locator("#status", has_text="Stopped.").wait_for()
    assert page.locator("#error").is_hidden()
    assert page.locator(".pick:enabled").count() == 0


def test_the_page_is_reached_by_the_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
