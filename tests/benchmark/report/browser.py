"""A headless Chromium for tests of pages: Debian's, driven by Playwright."""

import importlib.util
import os
import shutil
from contextlib import contextmanager


def reason_to_skip():
    """Why no browser can be tried here; empty where one can."""
    if importlib.util.find_spec("playwright") is None:
        return "no playwright here: pip install 'blindbench[test]'"
    return "" if program() else "no browser here: apt-get install chromium, or name one in CHROMIUM"


def program():
    """The path of the browser; None where there is none."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def opened():
    """A browser for as long as the context lasts."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (only where there is one)

    with sync_playwright() as playwright:
        # Without its sandbox, which does not start for root or in a container; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield browser
        browser.close()
