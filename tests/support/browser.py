"""A real browser, Chromium, as a person in front of Airflow's UI uses it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

AXE = Path(__file__).resolve().parents[2] / ".node/node_modules/axe-core/axe.min.js"
PICTURES = "MODEL_RELEASE_PICTURES"
"""Environment variable: the folder that takes pictures of pages, for the documentation."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium."""
    program = which("chromium")
    assert program is not None, "Debian's chromium is missing: make debian"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


def logged_in(running: Browser, url: str, user: str, password: str, **more: Any) -> Page:
    """Return a page of a browser whose user has logged in to Airflow.

    Args:
        running: the browser.
        url: Airflow's.
        user: their name.
        password: theirs.
        **more: of the browser's context: the size of the window, the colour scheme.
    """
    page = running.new_context(bypass_csp=True, **more).new_page()  # axe is injected into pages that allow no script
    page.goto(url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Releases").wait_for()
    return page


def faults(page: Page) -> list[str]:
    """Return what axe-core finds to be out of reach for people with a keyboard or a screen reader."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run({exclude: [['iframe']]})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found["violations"]]


def picture(page: Page, name: str) -> None:
    """Keep a picture of a page if a folder for pictures is named; the store of a test lies in a folder by chance."""
    folder = os.environ.get(PICTURES)
    if folder:
        page.evaluate(r"""document.querySelectorAll(".places code").forEach(
            each => { each.textContent = each.textContent.replace(/file:.*\/store\//, "file:///srv/store/") })""")
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
