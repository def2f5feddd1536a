"""The Chromium of this machine, without a window, and what goes wrong on a page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
    faults: list[str] = []
    here = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    try:
        page = here.new_page()
        page.on("console", lambda said: faults.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda sent: faults.append(f"request: {sent.url}") if not _own(sent.url, file) else None)
        page.goto(file.as_uri())
        yield page
        assert not faults
    finally:
        here.close()


def _own(url: str, file: Path) -> bool:
    # What a page makes itself asks nobody: a table to save.
    return url.partition("#")[0] == file.as_uri() or url.startswith("blob:")


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
