"""A real browser against a real server: Chromium through selenium, skipped with a reason where there is none."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.walking import Walker

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-default-apps", "--disable-extensions", "--force-device-scale-factor=1",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def screens() -> Path:
    """Where walks leave their pictures, to be looked at by people."""
    folder = Path(os.environ.get("VIGIL_SCREENS", ROOT / "var" / "screens"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    program = os.environ.get("VIGIL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("needs Chromium and chromedriver: install both (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    browser.set_window_size(1280, 900)
    browser.set_page_load_timeout(30)
    yield browser
    browser.quit()


@pytest.fixture
def walker(chromium, live_server, screens) -> Iterator[Walker]:
    """A person at a browser: opens pages, fills forms, takes pictures; ends by proving that nothing went wrong."""
    chromium.get("about:blank")
    chromium.delete_all_cookies()
    chromium.set_window_size(1280, 900)
    walking = Walker(chromium, live_server.url, screens)
    walking.forget_logs()
    yield walking
    walking.check_quiet()
