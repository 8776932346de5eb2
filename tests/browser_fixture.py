"""A real headless Chromium for tests of HTML: started once for a module, with a new profile and no network.

A machine without one fails these tests: what they hold cannot be seen without it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.browser_program import REMEDY, find

QUIET = (
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A page that is open, and all that it did that a report must not do."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings on the console, exceptions, dialogs."""

    def numbers(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        return self.page.evaluate(expression)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = find(os.environ)
    assert program is not None, f"these tests need a Chromium: {REMEDY}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def visiting(chromium: Browser, path: Path, **settings: Any) -> Iterator[Visit]:
    """The file at ``path``, opened in a new context of its own, without network."""
    context: BrowserContext = chromium.new_context(offline=True, **settings)
    page = context.new_page()
    visit = Visit(page=page)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda message: visit.complaints.append(f"{message.type}: {message.text}"))
    page.on("dialog", lambda dialog: (visit.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        page.goto(path.as_uri())
        yield visit
    finally:
        context.close()
