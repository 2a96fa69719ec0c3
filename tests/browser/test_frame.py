"""The frame that every page shares: sign-in, help when something is missing, the reader's choice of light or dark."""

import pytest

from accounts.models import Organisation, Role
from tests.browser.markup import faults
from tests.browser.walking import PASSWORD
from tests.factories import MembershipFactory, OrganisationFactory, PersonFactory


@pytest.fixture
def physicist(transactional_db):
    person = PersonFactory(name="QA lead")
    person.set_password(PASSWORD)
    person.save()
    hospital = OrganisationFactory(kind=Organisation.Kind.HOSPITAL)
    MembershipFactory(person=person, organisation=hospital, role=Role.HOSPITAL_QA)
    return person


def test_a_person_signs_in_and_finds_an_empty_fleet_that_says_what_to_do(walker, physicist):
    walker.sign_in(physicist)
    walker.see("Fleet", "No deployment yet").check_page()
    walker.shot("empty-fleet")


def test_a_page_that_is_not_there_helps_on(walker, physicist):
    walker.enter(physicist)
    walker.open("/deployments/nothing-here").check_page()
    walker.follow("Fleet").see("No deployment yet")


def test_the_markup_check_finds_faults():
    # a check that cannot fail proves nothing
    page = (
        '<!doctype html><html lang="en"><head><title>x</title></head><body><h1>a</h1><h3 id="q">b</h3><p id="q">'
        '<label for="w">c</label><img src="d.png"><a onclick="e()">f</a><script>g()</script></body></html>'
    )
    told = "\n".join(faults(page))
    for word in (
        "h3 follows h1",
        "'q' stands 2 times",
        "'w' names nothing",
        "no alt text",
        "carries onclick",
        "inside",
    ):
        assert word in told
    assert "end-tag" in "\n".join(faults(page.replace("</h1>", "</h2>")))
    assert not faults('<!doctype html><html lang="en"><head><title>x</title></head><body><h1>a</h1></body></html>')
