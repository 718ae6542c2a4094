"""The documentation becomes a site: without a network, without a broken link, with a page for everything."""

import re
import socket
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from benchmark.cli.main import app
from tests.conftest import ROOT

config = pytest.importorskip("mkdocs.config", reason="mkdocs is not installed: pip install '.[docs]'")
build = pytest.importorskip("mkdocs.commands.build")
pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site, built as `make site` does; whoever wants the network is stopped."""

    def refuse(*arguments):
        raise AssertionError("the site asks for the network")

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(socket.socket, "connect", refuse)
        build.build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


class Links(HTMLParser):
    """Collects what a page loads and where it leads, and its anchors."""

    def __init__(self):
        super().__init__()
        self.loaded, self.linked, self.anchors = [], [], set()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        self.loaded += [given["src"]] if "src" in given else []
        if "href" in given:
            (self.loaded if tag == "link" else self.linked).append(given["href"])


@pytest.fixture(scope="session")
def pages(site):
    """Each page of the site, with its links."""
    found = {}
    for path in site.rglob("*.html"):
        found[path] = Links()
        found[path].feed(path.read_text())
    return found


def test_no_page_loads_anything_from_elsewhere(pages):
    assert len(pages) > 30
    for path, links in pages.items():
        assert not [url for url in links.loaded if urlsplit(url).netloc], path
    styles = "".join(path.read_text() for page in pages for path in page.parent.glob("assets/**/*.css"))
    assert styles
    assert not re.search(r"url\(['\"]?(https?:)?//", styles)


def test_every_link_within_the_site_leads_somewhere(site, pages):
    for page, links in pages.items():
        if page.name == "404.html":  # its links begin at the top of a server
            continue
        for url in links.linked:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.exists(), f"{page.relative_to(site)}: {url}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{page.relative_to(site)}: {url}"


def test_every_page_of_the_repository_is_in_the_navigation(site, pages):
    shown = {
        (site / "index.html").parent / url for url in pages[site / "index.html"].linked if ":" not in url
    }
    reached = {path.resolve() for path in shown}
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / page.with_suffix(".html").name).resolve() in reached, page.name
    for name in ("contributing", "security", "changelog", "config", "datasets", "results"):
        assert (site / f"{name}.html").resolve() in reached, name


def test_the_reference_has_public_functions_with_their_docstrings_and_every_verb(site, pages):
    solver = pages[site / "reference" / "methods.parts.html"]
    assert {"methods.parts.solver.solve", "methods.parts.registry.Method"} <= solver.anchors
    assert "methods.parts.solver._flaw" not in solver.anchors
    text = (site / "reference" / "methods.parts.html").read_text()
    assert "Solve tasks. One that fails gets a status and a reason" in text
    assert "blindbench.deblur" in pages[site / "reference" / "blindbench.html"].anchors
    commands = pages[site / "reference" / "commands.html"].anchors
    for verb in app.registered_commands:
        assert f"blindbench-{verb.name or verb.callback.__name__}" in commands


def test_tables_and_lists_are_no_plain_text(site, pages):
    for page in pages.keys() - set(site.glob("reference/*.html")):
        text = re.sub(r"<(pre|code)[ >].*?</\1>", "", page.read_text(), flags=re.DOTALL)
        assert "|--" not in text, page
        assert "| ---" not in text, page
        assert not re.search(r"<p>[^<]*\n- ", text), page
