"""Hospital QA: from the fleet to the cause, to the alarm, and to what is written about it."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.hospital import quality_lead, watched_deployment


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

    chart = walker.find("svg.panel")
    chart.send_keys(Keys.ARROW_LEFT)
    walker.wait(lambda: "n = " in walker.find("#chart-voice").get_attribute("textContent"), "keys read no value")
    chart.send_keys(Keys.ENTER)
    walker.wait(lambda: walker.find("#window-dialog").get_attribute("open"), "the window did not open")
    walker.see("What moved most in the same window")
    walker.shot("window", whole=False)
    walker.key(Keys.ESCAPE)

    walker.open("/alarms").see("Alarms").check_page()
    walker.shot("alarms")
    walker.follow("Software versions at south: Cramér").see("Handling").check_page()
    walker.fill("status", "acknowledged").fill("cause", "acquisition")
    walker.fill("text", "Software B4 was installed at the south campus; protocol changed to AP.")
    walker.shot("alarm")
    walker.press("Save").see("The alarm was updated.", "Software B4 was installed")
