"""What a person does in a browser, and what every page must keep: quiet console, own host only, axe, valid HTML."""

import json
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from accounts.models import Person
from tests.browser.markup import faults

PASSWORD = "a long password for walking"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SERIOUS = {"serious", "critical"}
REFUSALS = ("status of 400", "status of 403", "status of 404", "status of 409", "status of 422")  # pages may answer so


class Walker:
    def __init__(self, driver: Any, address: str, screens: Path) -> None:
        self.driver, self.address, self.screens = driver, address, screens

    # signing in

    def sign_in(self, person: Person, *, password: str = PASSWORD, totp_secret: str | None = None) -> None:
        """Through the sign-in page, as a person does; ``totp_secret`` answers the second step."""
        self.open("/account/login/")
        self.fill("login", person.email)
        self.fill("password", password)
        self.submit("password")
        self._wait_to_leave("/login")
        if totp_secret:
            self.fill("code", totp_code(totp_secret))
            self.submit("code")
        self._wait_to_leave("/account/")

    def _wait_to_leave(self, part: str) -> None:
        """The first page of a cold process imports half the house, so it may take longer than other pages."""
        try:
            self.wait(lambda: part not in self.driver.current_url, "", seconds=60)
        except TimeoutException:
            raise AssertionError(f"signing in stayed at {self.driver.current_url}:\n{self.text[:2000]}") from None

    def enter(self, person: Person) -> None:
        """With a session made on the server: quick, for walks that do not speak of signing in."""
        client = Client()
        client.force_login(person)
        self.driver.get(self.address + "/healthz")
        self.driver.add_cookie(
            {
                "name": settings.SESSION_COOKIE_NAME,
                "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                "path": "/",
            }
        )

    def leave(self) -> None:
        self.driver.delete_all_cookies()

    # moving and doing

    def open(self, path: str) -> "Walker":
        self.driver.get(path if "://" in path else self.address + path)
        return self

    @property
    def path(self) -> str:
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def follow(self, text: str) -> "Walker":
        """Click the link with this text (or holding it) and wait for the next page."""
        links = self.driver.find_elements(By.LINK_TEXT, text) or self.driver.find_elements(By.PARTIAL_LINK_TEXT, text)
        if not links:
            raise AssertionError(f"no link {text!r} on {self.path}; there are {[e.text for e in self.find_all('a')]}")
        self._click(links[0])
        return self

    def press(self, text: str) -> "Walker":
        """Click the button with this text and wait for the next page."""
        for button in self.find_all("button, input[type=submit]"):
            if (button.text or button.get_attribute("value") or "").strip() == text and button.is_displayed():
                self._click(button)
                return self
        raise AssertionError(f"no button {text!r} on {self.path}")

    def fill(self, name: str, value: str) -> "Walker":
        """Write into the field of this name; a select takes its value or its visible text."""
        field = self.driver.find_element(By.NAME, name)
        if field.tag_name == "select":
            choice = Select(field)
            values = [option.get_attribute("value") for option in choice.options]
            (choice.select_by_value if value in values else choice.select_by_visible_text)(value)
        elif field.get_attribute("type") in ("checkbox", "radio"):
            field.click()
        else:
            if field.get_attribute("type") != "file":
                field.clear()
            field.send_keys(value)
        return self

    def press_id(self, name: str) -> "Walker":
        """Click the element with this id and wait for the next page."""
        self._click(self.driver.find_element(By.ID, name))
        return self

    def fill_signature(self, step: str, password: str, code: str) -> "Walker":
        """Password and one-time code of the signing fields in the form that holds the button ``take-<step>``."""
        form = self.find(f"#take-{step}").find_element(By.XPATH, "ancestor::form")
        for field in form.find_elements(By.CSS_SELECTOR, "input"):
            name, kind = field.get_attribute("name"), field.get_attribute("type")
            if kind == "password":
                field.send_keys(password)
            elif "code" in name:
                field.send_keys(code)
            elif name == "reason":
                field.send_keys("the file is complete")
        return self

    def submit(self, name: str) -> "Walker":
        self.driver.find_element(By.NAME, name).send_keys(Keys.ENTER)
        return self

    def key(self, *keys: str) -> "Walker":
        self.driver.switch_to.active_element.send_keys(*keys)
        return self

    def wait(self, until: Any, why: str, seconds: float = 10) -> None:
        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(lambda _: until(), why)

    def see(self, *texts: str) -> "Walker":
        """The page shows each of these texts (within a few seconds, since parts may come later)."""
        for text in texts:
            end = time.monotonic() + 4
            while text not in self.text:
                if time.monotonic() > end:
                    raise AssertionError(f"{text!r} is not on {self.path}:\n{self.text[:2000]}")
                time.sleep(0.05)
        return self

    def _click(self, element: WebElement) -> None:
        before = self.driver.find_element(By.TAG_NAME, "html")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:  # a script's click leaves the page; a form's answer replaces it
            try:
                before.is_enabled()
            except Exception:  # the old page is gone, which is what was waited for
                break
            time.sleep(0.02)
        self.wait(lambda: self.driver.execute_script("return document.readyState") == "complete", "page did not load")

    # pictures and proofs

    def shot(self, name: str, *, width: int = 1280, theme: str = "", whole: bool = True) -> Path:
        """Save the page as ``var/screens/<name>.png``."""
        if theme:
            self.driver.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        self.driver.set_window_size(width, 900)
        height = self.driver.execute_script("return document.documentElement.scrollHeight") if whole else 900
        self.driver.set_window_size(width, min(6000, max(900, height)))
        path = self.screens / f"{name}.png"
        self.driver.save_screenshot(str(path))
        self.driver.set_window_size(1280, 900)
        if theme:
            self.driver.execute_script("delete document.documentElement.dataset.theme")
        return path

    def check_page(self) -> "Walker":
        """Valid markup, one first heading, no serious axe finding, no sideways scrolling at 1280 px."""
        problems = self.problems()
        assert not problems, f"{self.path}\n" + "\n".join(problems)
        return self

    def problems(self) -> list[str]:
        found = [f"markup: {fault}" for fault in faults(self.source())]
        if self.driver.execute_script("return document.documentElement.scrollWidth > window.innerWidth"):
            found.append("layout: the page scrolls sideways at 1280 px")
        return found + self._axe()

    def source(self) -> str:
        """The page as the server sent it: the browser's own copy has been mended already."""
        return self.driver.execute_async_script(
            "const done = arguments[0]; fetch(location.href).then(r => r.text()).then(done, e => done(String(e)))"
        )

    def _axe(self) -> list[str]:
        spec = find_spec("axe_playwright_python")
        if spec is None or spec.origin is None:
            pytest.skip("needs axe-core: pip install --no-deps axe-playwright-python (make test does)")
        if not self.driver.execute_script("return typeof window.axe === 'object'"):
            source = Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")
            self.driver.execute_script(source)
        self.driver.set_script_timeout(20)
        found = self.driver.execute_async_script(
            "const done = arguments[1]; axe.run(document, {runOnly: arguments[0], resultTypes: ['violations']})"
            ".then(r => done(r.violations), e => done([{id: 'axe', impact: 'critical', help: String(e), nodes: []}]))",
            RULES,
        )
        return [
            f"axe {one['id']} ({one['impact']}): {one['help']}: "
            + "; ".join(f"{node['html'][:160]} {(node.get('failureSummary') or '')[:200]}" for node in one["nodes"][:3])
            for one in found
            if one["impact"] in SERIOUS
        ]

    def forget_logs(self) -> None:
        self.driver.get_log("browser")
        self.driver.get_log("performance")

    def check_quiet(self) -> None:
        """No console error, and no request to another host, since the walk began."""
        errors = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and not self._is_refusal(entry["message"])
        ]
        strangers = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = message["params"]["request"]["url"]
                if urlsplit(address).scheme in ("http", "https", "ws", "wss") and not address.startswith(self.address):
                    strangers.add(address)
        assert not errors, "console errors:\n" + "\n".join(errors)
        assert not strangers, f"requests to other hosts: {sorted(strangers)}"

    def _is_refusal(self, message: str) -> bool:
        """A page that says no is no fault; a style, script or picture that is missing is one."""
        return any(word in message for word in REFUSALS) and f"{self.address}/static/" not in message


def totp_code(secret: str) -> str:
    """The code that an authenticator shows now for ``secret`` (base32), as allauth checks it."""
    from allauth.mfa.totp.internal import auth

    cache.clear()  # a code works once in half a minute; a walk does not wait that long
    return auth.format_hotp_value(auth.hotp_value(secret, next(iter(auth.yield_hotp_counters_from_time()))))
