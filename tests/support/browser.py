"""The Chromium of this machine, without a window, and what goes wrong on a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped on a machine that has none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no Chromium on PATH")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, file: Path, **context: Any) -> Iterator[Page]:
    """A page from disk; when the block ends, it must have told no error and asked for nothing."""
    with _watched(browser, file.as_uri(), lambda url: url.partition("#")[0] == file.as_uri(), context) as page:
        yield page


@contextmanager
def visited(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """A page from a server; when the block ends, it must have told no error and asked nobody else."""
    origin = "/".join(url.split("/")[:3]) + "/"
    with _watched(browser, url, lambda asked: asked.startswith(origin), context) as page:
        yield page


@contextmanager
def _watched(browser: Browser, url: str, own: Callable[[str], bool], context: dict[str, Any]) -> Iterator[Page]:
    faults: list[str] = []
    here = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    try:
        page = here.new_page()
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda sent: faults.append(f"request: {sent.url}") if not _own(sent.url, own) else None)
        page.goto(url)
        yield page
        assert not faults
    finally:
        here.close()


def _own(url: str, own: Callable[[str], bool]) -> bool:
    # What a page makes itself asks nobody: a table to save.
    return own(url) or url.startswith("blob:")


def enliven(page: Page) -> list[str]:
    """Scroll to each chart until it answers to the pointer; returns their ids."""
    plots = page.locator("[data-chart]")
    names = [plots.nth(number).get_attribute("data-chart") or "" for number in range(plots.count())]
    for name in names:
        plot = page.locator(f'[data-chart="{name}"]')
        plot.scroll_into_view_if_needed()
        page.wait_for_function(
            "name => document.querySelector(`[data-chart=${name}]`).dataset.state === 'live'", arg=name
        )
    return names
