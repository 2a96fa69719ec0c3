"""Pictures for the documentation, from a running instance with the demo's data: ``python -m scripts.screens``.

Start the instance first and keep what it prints (``make demo | tee demo.log``): it tells its people's passwords once.
Signs in as them (``make screens PRINTED=demo.log``), writes ``docs/pictures/<name>.png``. Needs Chromium.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config import home

ROOT = Path(__file__).resolve().parent.parent
WIDTH, TALLEST = 1280, 1500


def pages(client: Any) -> Iterator[tuple[str, str, str]]:
    """(person, name of the picture, address) in the order of the tour; addresses are followed from the first pages."""
    yield "qa", "fleet", "/"
    for place, address in enumerate(client.found("a[href^='/deployments/'] strong", "/")[:2]):
        yield "qa", f"deployment-{place + 1}", address
        yield "qa", f"cases-{place + 1}", f"{address}/cases"
        yield "qa", f"generalizability-{place + 1}", f"{address}/generalizability"
        case = client.found(f"a[href*='{address}/cases/']", f"{address}/cases")[:1]
        if case:
            yield "qa", f"case-{place + 1}", case[0]
        yield "qa", f"deliveries-{place + 1}", f"{address}/deliveries"
    yield "qa", "alarms", "/alarms?status=all"
    for address in client.found("a[href^='/alarms/']", "/alarms?status=all")[:1]:
        yield "qa", "alarm", address
    yield "safety", "incidents", "/incidents"
    for address in client.found("a[href^='/incidents/']:not([href$='new'])", "/incidents")[:1]:
        yield "safety", "incident", address
    yield "author", "models", "/models/"
    for address in client.found("a[href^='/models/']", "/models/")[:1]:
        yield "author", "model", address
    for address in client.found("a[href^='/cards/']", "/models/")[:1]:
        yield "author", "card", address
    yield "author", "submissions", "/submissions/"
    for address in client.found("a[href^='/submissions/']:not([href$='start'])", "/submissions/")[:1]:
        yield "author", "submission", address
        yield "assessor", "coverage", f"{address}/coverage"
        yield "assessor", "submission-regulator", address
    yield "assessor", "dossiers", "/dossiers/"
    for address in client.found("td a[href^='/dossiers/']", "/dossiers/")[:1]:
        yield "assessor", "dossier", address
    yield "author", "audit", "/audit"
    yield "qa", "methods", "/methods/"
    yield "qa", "method", "/methods/auroc"


class Visitor:
    """A browser that signs in as one person at a time."""

    def __init__(self, address: str, logins: dict[str, dict[str, str]], folder: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--lang=en-GB"):  # fmt: skip
            options.add_argument(flag)
        os.environ["LANGUAGE"] = "en_GB"  # dates in fields as the pages write them
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_window_size(WIDTH, 900)
        self.address, self.logins, self.folder, self.person = address, logins, folder, ""
        self.sessions: dict[str, list[dict[str, Any]]] = {}

    def become(self, person: str) -> None:
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys
        from selenium.webdriver.support.ui import WebDriverWait

        if person == self.person:
            return
        login = self.logins[person]
        self.driver.get(self.address + "/healthz")
        if self.person:
            self.sessions[self.person] = self.driver.get_cookies()
        self.driver.delete_all_cookies()
        self.person = person
        for cookie in self.sessions.get(person, ()):  # a one-time code opens one session, so a session is kept
            self.driver.add_cookie(cookie)
        if person in self.sessions:
            return
        self.driver.get(self.address + "/account/login/")
        self.driver.find_element(By.NAME, "login").send_keys(login["email"])
        self.driver.find_element(By.NAME, "password").send_keys(login["password"], Keys.ENTER)
        away = WebDriverWait(self.driver, 120)  # the first page of a cold server takes its time
        away.until(lambda d: "/login" not in d.current_url)
        if login.get("totp_secret") and "authenticate" in self.driver.current_url:
            self.driver.find_element(By.NAME, "code").send_keys(code(login["totp_secret"]), Keys.ENTER)
            away.until(lambda d: "/account/" not in d.current_url)

    def found(self, selector: str, page: str) -> list[str]:
        """Addresses of the links that match on ``page``, as the current person sees it."""
        if not self.person:
            self.become("qa")
        self.driver.get(self.address + page)
        script = (
            "return [...document.querySelectorAll(arguments[0])].map(e => e.closest('a'))"
            ".filter(a => a.closest('main') && a.pathname.replace(/[/]$/, '') !== "
            "location.pathname.replace(/[/]$/, ''))"
            ".map(a => a.href)"
        )
        return list(dict.fromkeys(urlsplit(href).path for href in self.driver.execute_script(script, selector)))

    def picture(self, name: str, page: str) -> bool:
        """Save one page; False, and no picture, where the instance has no such page."""
        self.driver.set_window_size(WIDTH, 900)
        self.driver.get(self.address + page)
        if self.driver.execute_script("return document.querySelector('h1')?.textContent.includes('Nothing is here')"):
            return False
        height = self.driver.execute_script("return document.documentElement.scrollHeight")
        self.driver.set_window_size(WIDTH, min(TALLEST, max(700, height)))
        path = self.folder / f"{name}.png"
        self.driver.save_screenshot(str(path))
        shrink(path)
        return True


def shrink(path: Path) -> None:
    """The same pixels in fewer bytes: a palette where the page has few colours."""
    from PIL import Image

    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    if whole.getcolors(256) is not None:
        whole = whole.quantize(colors=256, dither=Image.Dither.NONE)
    whole.save(path, optimize=True)


def code(secret: str) -> str:
    """The one-time code that an authenticator shows now (RFC 6238, thirty seconds, six digits)."""
    import base64
    import hmac
    import struct
    import time

    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), "sha1")
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def printed_logins(path: Path) -> dict[str, dict[str, str]]:
    """The people that the demo printed, by the name before the @ of their address."""
    line = re.compile(r"\s(\w+)(@\S+)\s+(\S+)(?:\s+code secret (\S+))?$")
    found = (line.search(text) for text in path.read_text(encoding="utf-8").splitlines())
    return {one[1]: {"email": one[1] + one[2], "password": one[3], "totp_secret": one[4] or ""} for one in found if one}


def kept_logins() -> dict[str, dict[str, str]]:
    """Those of a demo that is still being lived; it forgets them at its end."""
    kept = home.var("demo-logins.json")
    return json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--printed", type=Path, help="what the demo printed, with its people")
    chosen = parser.parse_args()
    logins = printed_logins(chosen.printed) if chosen.printed else kept_logins()
    if not logins:
        print("no logins: keep what `make demo` prints and give it as --printed FILE (PRINTED=FILE)", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    visitor = Visitor(chosen.url, logins, chosen.out)
    try:
        for person, name, page in pages(visitor):
            visitor.become(person)
            print(f"{name}: {page}" if visitor.picture(name, page) else f"{name}: {page} is not there", flush=True)
    finally:
        visitor.driver.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
