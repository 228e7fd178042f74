"""A browser for the tests that look at pages."""

import os

import pytest
from playwright.sync_api import sync_playwright

from slide_checks import browser_path, launch


@pytest.fixture(scope="module")
def browser():
    """Chromium or Chrome; where there is none, tests that need it are skipped and say so, but fail in CI."""
    if not browser_path():
        message = "no Chromium or Chrome is installed (Debian: apt-get install chromium): slides, pages, figures and JupyterLab are not checked"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
