"""A headless browser that opens pages from files: the system's Chromium, without network."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from latentlab.errors import LatentlabError

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
# Draws WebGL on the CPU, on a machine without a graphics card.
ARGUMENTS = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
# What the browser says of itself, and not of the page.
OF_THE_DRIVER = "GL Driver Message"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser.

    Raises:
        LatentlabError: If Chromium is not installed.
    """
    if CHROMIUM is None:
        raise LatentlabError(
            "Chromium is not in PATH; install it (Debian: apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, fragment: str = "", **options: Any) -> Iterator[Page]:
    """An explorer, opened from its file and ready.

    Args:
        browser: A running one.
        path: The file.
        fragment: Of the address, with its ``#``.
        **options: Of the browser's window, such as ``viewport`` and ``color_scheme``.

    Raises:
        AssertionError: At the end, if the page complained of something, or asked for anything
            but itself.
    """
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{path.as_uri()}{fragment}")
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    context.close()
    said = [text for text in said if OF_THE_DRIVER not in text]
    outside = [url for url in asked if not url.startswith(("blob:", path.as_uri()))]
    assert not said, said
    assert not outside, outside


def settle(page: Page) -> None:
    """Wait until points have come to rest and nothing waits to be decoded."""
    page.wait_for_timeout(100)
    page.wait_for_function("() => explorer.idle")
    page.wait_for_timeout(50)
