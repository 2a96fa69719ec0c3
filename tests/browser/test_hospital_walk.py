"""Hospital QA: from the fleet to the cause, to the alarm, and to what is written about it."""

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.hospital import WINDOWS, quality_lead, watched_deployment


@pytest.fixture
def deployment(transactional_db):
    return watched_deployment()


def test_from_the_fleet_to_a_handled_alarm(walker, deployment):
    walker.sign_in(quality_lead(deployment))
    walker.see("Fleet", "Chest reader at Northfield", "the share of B4 rose from 0 % to 100 %").check_page()
    walker.shot("fleet")
    walker.shot("fleet-dark", theme="dark")
    walker.shot("fleet-tablet", width=1024)

    walker.follow("Chest reader at Northfield").see("In words", "Signals by window", "Realised performance")
    walker.check_page()
    walker.shot("deployment")
    walker.fill("stratum", "site=south")
    walker.wait(lambda: "stratum=site" in walker.path, "choosing a site did not reload")
    walker.see("south").check_page()
    walker.shot("deployment-south")

    # a kept view leads back to the same choice
    walker.find(".saved-views summary").click()
    walker.fill("title", "South campus").press("Keep").see("The view South campus is kept.")
    walker.open("/deployments/chest-reader-northfield").follow("South campus")
    assert "stratum=site%3Dsouth" in walker.path

    chart = walker.find("svg.panel")
    chart.send_keys(Keys.ARROW_LEFT)
    walker.wait(lambda: "n = " in walker.find("#chart-voice").get_attribute("textContent"), "keys read no value")
    chart.send_keys(Keys.ENTER)
    walker.wait(lambda: walker.find("#window-dialog").get_attribute("open"), "the window did not open")
    walker.see("What moved most in the same window")
    walker.shot("window", whole=False)
    walker.key(Keys.ESCAPE)

    # dragging over a chart narrows the time of all of them
    chart = walker.find("svg.panel")
    walker.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    wide = chart.size["width"]
    drag = ActionChains(walker.driver).move_to_element(chart).move_by_offset(int(-0.1 * wide), 0).click_and_hold()
    drag.move_by_offset(int(0.15 * wide), 0).move_by_offset(int(0.2 * wide), 0).release().perform()
    walker.wait(lambda: "to=2026-" in walker.path, "the brush did not zoom", seconds=20)
    few = walker.find("svg.panel").get_attribute("aria-label")
    assert int(few.split(" windows")[0].split()[-1]) < WINDOWS

    # every chart is a file: drawn by the browser, or as numbers
    saved = walker.driver.execute_async_script(
        "const done = arguments[0]; let name = '';"
        "HTMLAnchorElement.prototype.click = function () { name = this.download; };"
        "URL.createObjectURL = (blob) => { blob.text().then((text) => done([name, text.slice(0, 60)])); return '#'; };"
        "document.querySelector('.panel-card [data-save=svg]').click();"
    )
    assert saved[0].endswith(".svg") and saved[1].startswith("<svg")
    table = walker.driver.execute_async_script(
        "const done = arguments[0]; fetch(document.querySelector('.saves a').href).then((r) => r.text()).then(done)"
    )
    assert table.startswith(("family,signal", "window_start,"))

    walker.open("/alarms").see("Alarms").check_page()
    walker.shot("alarms")
    walker.follow("Software versions at south: Cramér").see("Handling").check_page()
    walker.fill("status", "acknowledged").fill("cause", "acquisition")
    walker.fill("text", "Software B4 was installed at the south campus; protocol changed to AP.")
    walker.shot("alarm")
    walker.press("Save").see("The alarm was updated.", "Software B4 was installed")
