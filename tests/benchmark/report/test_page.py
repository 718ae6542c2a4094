"""The page in a real browser: what a person clicks, types and sees, from disk and without a network."""

import base64
import csv
import io
import re

import pandas as pd
import pytest

from benchmark.cli.main import app
from tests.benchmark.report.browser import opened, reason_to_skip
from tests.benchmark.report.conftest import HOSTILE, RESULTS
from tests.benchmark.report.large import make_results

pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "a browser is here")
SELF = f"Self {HOSTILE}"
ORDER = ["Blurry input", "True kernel, hyper-Laplacian with border", SELF, "UFPNet"]


@pytest.fixture(scope="module")
def browser():
    with opened() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """`visit(folder)` opens the page there; at the end, no tab may have had an error or left the disk."""
    troubles, contexts = [], []

    def open_page(folder, hash_="", **options):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 900}, **options})
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("dialog", lambda dialog: troubles.append(f"a dialog: {dialog.message}"))
        tab.on(
            "request", lambda sent: None if sent.url[:5] in ("file:", "data:") else troubles.append(sent.url)
        )
        tab.on("requestfailed", lambda failed: troubles.append(f"not loaded: {failed.url}"))
        tab.goto((folder / RESULTS / "index.html").as_uri() + hash_)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(visit, finished):
    return visit(finished)


def methods(page):
    """The titles of the rows of the table, in order."""
    return page.eval_on_selector_all(
        "#score-table tbody th", "rows => rows.map(row => row.firstChild.textContent)"
    )


def texts(page, selector):
    return page.eval_on_selector_all(selector, "all => all.map(each => each.textContent)")


def is_open(page, dialog):
    return page.evaluate(f"document.getElementById('{dialog}').open")


def open_case(page, case="camera", method="selfdeblur"):
    row = page.locator("#heat-map tbody tr", has_text=case)
    row.locator(f"td[data-method='{method}']").click()
    page.wait_for_selector("#case .kernels")


def test_foreign_names_are_shown_as_they_are_and_do_nothing(page):
    assert methods(page) == ORDER
    assert page.text_content(".caption") == f"A test. {HOSTILE}"
    open_case(page)
    page.locator("#case td button.value").first.click()
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("body script").count() == 2  # the content and the code


def test_the_table_sorts_by_better_values_and_keeps_empty_ones_last(page):
    heading = page.get_by_role("button", name="PSNR, dB ↑").first
    heading.click()
    assert methods(page) == [ORDER[1], ORDER[0], ORDER[2], ORDER[3]]
    assert page.locator("#score-table th[aria-sort='ascending']").count() == 1
    page.get_by_role("button", name="PSNR, dB ↑").first.click()
    assert methods(page) == [ORDER[2], ORDER[0], ORDER[1], ORDER[3]]
    page.get_by_role("button", name="Method").first.click()
    assert methods(page) == sorted(ORDER, key=str.lower)


def test_filters_choose_methods_cases_and_columns(page):
    page.fill("#filter-methods", "ufp")
    assert methods(page) == ["UFPNet"]
    page.fill("#filter-methods", "")
    assert page.locator("#score-table thead th", has_text="SSIM").count() == 1
    page.locator("#metrics label", has_text="SSIM").locator("input").uncheck()
    assert page.locator("#score-table thead th", has_text="SSIM").count() == 0
    page.fill("#filter-cases", "astro")
    assert texts(page, "#heat-map tbody th span") == ["astronaut"]


def test_the_heat_map_shows_the_mean_gain_over_seeds(page, finished):
    scores = pd.read_csv(finished / RESULTS / "scores.csv").query("metric == 'psnr' and case == 'camera'")
    means = scores.groupby("method").value.mean()
    cell = page.locator("#heat-map tbody tr", has_text="camera").locator("td[data-method='selfdeblur']")
    gain = float(cell.text_content().replace("−", "-"))
    assert gain == pytest.approx(means["selfdeblur"] - means["blurry"], abs=0.006)
    assert "worse" in cell.get_attribute("class")


def test_a_case_opens_by_click_and_by_keys_and_closes_with_escape(page):
    open_case(page)
    assert page.text_content("#case-title") == "camera"
    assert page.url.endswith("#case=demo-uniform/camera/selfdeblur")
    page.evaluate("document.activeElement.blur()")  # as when a button with the focus is drawn anew
    page.keyboard.press("ArrowRight")
    page.locator("#case-title", has_text="astronaut").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_selector("#case", state="hidden")
    page.wait_for_url("**/*#closed")
    page.locator("#heat-map td[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**/*#case=demo-uniform/astronaut/selfdeblur")
    page.go_back()
    page.wait_for_selector("#case", state="hidden")


def test_a_link_leads_to_its_case(visit, finished):
    page = visit(finished, "#case=demo-uniform/astronaut/selfdeblur")
    page.wait_for_selector("#case .kernels")
    assert page.text_content("#case-title") == "astronaut"
    assert page.locator("#choose-after").input_value() == "selfdeblur"


def test_the_slider_divides_the_two_images(page):
    open_case(page)
    assert page.locator(".compare img").evaluate_all("all => all.every(each => each.naturalWidth > 0)")
    share = "getComputedStyle(document.querySelector('.pane.right')).clipPath"
    assert page.evaluate(share) == "inset(0px 0px 0px 50%)"
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(share) == "inset(0px 0px 0px 51%)"
    box = page.locator(".compare").bounding_box()
    page.mouse.move(box["x"] + 0.51 * box["width"], box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 120)
    page.mouse.up()
    assert page.locator("#slider").input_value() == "20"


def test_all_images_zoom_and_move_together(page):
    open_case(page)
    transforms = (
        "[...new Set([...document.querySelectorAll('#case .moved')].map(each => each.style.transform))]"
    )
    assert page.evaluate("document.querySelectorAll('#case .moved').length") == 6  # two, and four tiles
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(transforms) == ["translate(-50%, -50%) scale(2)"]
    box = page.locator(".tiles .viewport").first.bounding_box()
    page.locator(".tiles .viewport").first.scroll_into_view_if_needed()
    box = page.locator(".tiles .viewport").first.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 50 + box["width"] / 4, box["y"] + 50)
    page.mouse.up()
    (moved,) = page.evaluate(transforms)
    across = float(re.match(r"translate\((.*?)%", moved)[1])
    assert across == pytest.approx(-25, abs=1)
    page.keyboard.press("0")
    assert page.evaluate(transforms) == ["translate(0%, 0%) scale(1)"]


def test_seeds_stand_side_by_side_with_their_kernels_and_traces(page):
    open_case(page)
    page.check("#tiles-seeds")
    assert [text.split()[1] for text in texts(page, ".tiles figcaption button")] == ["0", "1"]
    assert [text[:6] for text in texts(page, ".kernels figcaption")] == ["True13", "Seed 0", "Seed 1"]
    widths = page.locator(".kernel-box").evaluate_all("all => all.map(each => each.offsetWidth)")
    assert len(set(widths)) == 1
    curves = page.locator(".curves svg", has_text="loss").first
    assert curves.locator("path.curve").count() == 2


def test_a_failed_run_says_why_in_its_place(page):
    open_case(page, method="ufpnet")
    assert "nowhere: neither" in page.text_content(".compare .no-image")
    page.keyboard.press("Escape")
    assert page.locator(".failure").count() == 4
    page.locator(".failure").first.click()
    assert page.url.endswith("#case=demo-uniform/camera/ufpnet")


def test_a_number_opens_where_it_comes_from(page, finished):
    page.locator("#score-table tbody tr", has_text="Self").locator("button.value").first.click()
    text = page.text_content("#provenance")
    runs = pd.read_csv(finished / RESULTS / "runs.csv").query("method == 'selfdeblur'")
    assert all(hash_ in text for hash_ in runs.config_hash)
    assert "iterations: 4" in text
    assert "blindbench verify r.csv --rows 'demo-uniform/selfdeblur/*'" in text
    assert "shift-rgb: 15 px cropped" in text
    page.locator("#provenance td, #provenance th", has_text="astronaut").locator("button").first.click()
    assert page.text_content("#case-title") == "astronaut"
    page.locator("#case td button.value").first.click()
    assert page.locator("#provenance tr.chosen").first.text_content().startswith("astronaut")
    page.keyboard.press("Escape")
    assert is_open(page, "case")
    assert not is_open(page, "provenance")


@pytest.fixture
def printed(finished):
    """The PSNR that the paper prints for SelfDeblur."""
    table = pd.read_csv(finished / RESULTS / "tables/glkm-table1.csv", dtype=str)
    return table[(table.method == "selfdeblur") & (table.metric == "psnr")].published.iloc[0]


def test_points_are_named_and_lead_to_their_numbers(page, printed):
    for chart, name in (("seconds", "Self"), ("paper", "DIP")):
        point = page.locator(f"#{chart}-chart .point", has_text=name)
        point.focus()
        page.keyboard.press("Enter")
        assert is_open(page, "provenance")
        page.keyboard.press("Escape")
    assert f"printed {printed}," in page.locator("#paper-chart .point").get_attribute("aria-label")


def test_a_papers_table_has_printed_numbers_beside_ours(page, printed):
    page.select_option("#block", label="COCO-80 (coco80), stand-in: demo-uniform")
    headings = [text.strip("▾▴") for text in texts(page, "#score-table thead th")]
    assert headings[:4] == ["Method", "PSNR", "printed", "ours − printed"]
    row = page.locator("#score-table tbody tr", has=page.locator("th", has_text=re.compile("^DIP(?!-)")))
    assert row.locator("td").nth(1).text_content() == printed


def test_the_table_is_copied_as_csv_markdown_and_latex(page, finished):
    table = pd.read_csv(finished / RESULTS / "tables/uniform.csv").set_index(["method", "metric"])
    rows = list(csv.DictReader(io.StringIO(page.evaluate("copied('csv')"))))
    assert len(rows) == 4 * 3
    (own,) = [row for row in rows if (row["method"], row["metric"]) == ("selfdeblur", "psnr")]
    assert own["title"] == SELF
    assert float(own["mean"]) == pytest.approx(table.loc[("selfdeblur", "psnr"), "mean"], abs=1e-5)
    page.fill("#filter-methods", "blurry")
    markdown = page.evaluate("copied('markdown')").splitlines()
    assert markdown[0].startswith("| Method | PSNR, dB ↑ | Gain, dB | SSIM ↑ |")
    assert markdown[2].startswith("| Blurry input | 24.94 | +0.00 | 0.741 |")
    assert len(markdown) == 3
    latex = page.evaluate("copied('latex')")
    assert "Method & PSNR, dB $\\uparrow$" in latex
    assert "Blurry input & 24.94 & +0.00 & 0.741" in latex
    page.locator("[data-copy='markdown']").click()
    page.wait_for_selector("#said:text-is('Table as Markdown copied')")


def test_what_is_missing_is_folded_and_complete(page):
    assert not page.locator("#missing-list").is_visible()
    page.locator("#missing summary").first.click()
    assert "not run: dip-glkm is not in this profile" in page.text_content("#missing-list")


def test_the_page_alone_shows_its_numbers_in_the_report_of_snakemake(browser, finished):
    text = (finished / RESULTS / "index.html").read_bytes()
    tab = browser.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto("about:blank")
    address = f"data:text/html;base64,{base64.b64encode(text).decode()}"
    tab.set_content(f'<iframe width="1200" height="800" src="{address}"></iframe>')
    frame = tab.frames[1]
    frame.wait_for_selector("#heat-map td")
    frame.locator("#heat-map td").first.click()
    frame.wait_for_selector("#said:has-text('The pictures are not')")
    frame.locator("#case td button.value").first.click()
    assert "shift-rgb" in frame.text_content("#provenance")
    frame.locator("#provenance [aria-label='Close']").click()
    frame.locator("#case [aria-label='Close']").click()
    assert not frame.evaluate("document.getElementById('case').open")
    assert errors == []


def test_every_link_of_the_page_leads_somewhere(page, finished):
    for target in page.eval_on_selector_all("nav a", "all => all.map(each => each.getAttribute('href'))"):
        assert page.locator(target).count() == 1
    folder = finished / RESULTS
    (table,) = page.eval_on_selector_all("#versions a", "all => all.map(each => each.getAttribute('href'))")
    assert (folder / table).exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(visit, finished, scheme):
    page = visit(finished, viewport={"width": 390, "height": 800}, color_scheme=scheme)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] / 255")
    assert (brightness < 0.2) == (scheme == "dark")
    open_case(page)
    assert page.evaluate("document.getElementById('case').scrollWidth") <= 390


def test_the_focus_is_visible(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_pictures_of_many_cases_are_loaded_when_they_come_into_view(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = make_results(cases=60)
    for command in (["table", "uniform"], ["report"]):
        app([*command, "--results", str(results)], standalone_mode=False)
    tab = browser.new_page()
    pictures = []
    tab.on("request", lambda sent: pictures.append(sent.url) if sent.url.endswith(".webp") else None)
    tab.goto((tmp_path / results / "index.html").as_uri())
    assert tab.locator("#heat-map tbody tr").count() == 60
    assert 0 < len(pictures) < 60
    tab.locator("#heat-map tbody tr").last.scroll_into_view_if_needed()
    tab.locator("#heat-map img").last.evaluate("image => image.decode()")
