"""The clocks give the dates of the catalogue's worked examples and never a later one."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assurance.evidence.errors import InvalidInput, NotComputable
from vigilance.deadlines.clock import add_working_days, due
from vigilance.deadlines.duties import duties_for, read_duties

CONTENT = yaml.safe_load(
    (Path(__file__).parents[2] / "assurance/data/regulation/deadlines.yaml").read_text(encoding="utf-8")
)
DUTIES = read_duties(CONTENT)


@pytest.mark.parametrize("example", CONTENT["worked_examples"], ids=lambda example: example["id"])
def test_worked_examples_of_the_catalogue(example):
    aware = datetime.fromisoformat(f"{example['aware']}T09:00:00+00:00")
    answer = due(DUTIES[example["deadline"]], aware=aware, zone="UTC")
    assert answer.at.date().isoformat() == str(example["due"])
    if "rolled_due" in example:
        assert answer.moved_to is not None
        assert answer.moved_to.isoformat() == str(example["rolled_due"])


def test_the_due_day_ends_in_the_zone_of_the_duty_holder():
    late_evening_utc = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)  # already 3 November in Berlin
    answer = due(DUTIES["dl-eu-mdr-death"], aware=late_evening_utc, zone="Europe/Berlin")
    assert answer.at.date() == date(2026, 11, 13)


def test_awareness_without_a_zone_is_refused():
    with pytest.raises(InvalidInput, match="has no time zone"):
        due(DUTIES["dl-eu-mdr-death"], aware=datetime(2026, 11, 2, 9), zone="UTC")


def test_a_text_without_a_number_sets_no_date():
    open_ended = next(d for d in DUTIES.values() if d.days is None and d.hours is None)
    with pytest.raises(NotComputable):
        due(open_ended, aware=datetime(2026, 11, 2, tzinfo=UTC), zone="UTC")


def test_hours_are_counted_as_hours():
    aware = datetime(2026, 11, 6, 17, tzinfo=UTC)
    assert due(DUTIES["dl-eu-gdpr-breach"], aware=aware, zone="UTC").at == datetime(2026, 11, 9, 17, tzinfo=UTC)


def test_only_duties_that_apply_already_and_to_the_actor_are_found():
    found = duties_for(
        DUTIES.values(), event_kind="serious_incident_other", frameworks=["eu-ai-act"], actors=["provider"],
        on=date(2026, 7, 1),
    )  # fmt: skip
    assert found == []


@given(st.dates(date(2026, 1, 1), date(2028, 12, 1)), st.integers(0, 30), st.integers(0, 30))
def test_more_working_days_never_end_earlier(start, first, second):
    low, high = sorted((first, second))
    assert add_working_days(start, low, country="US") <= add_working_days(start, high, country="US")
