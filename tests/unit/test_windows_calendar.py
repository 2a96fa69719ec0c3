"""How a plan cuts days into windows."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from monitoring.windows.calendar import calendar_spans, case_spans, rolling_spans, spans

MONDAY = date(2026, 3, 2)


def edges(found):
    return [(span.start.isoformat()[5:], span.end.isoformat()[5:]) for span in found]


def test_days_and_weeks_and_months_begin_where_the_calendar_says():
    last, today = date(2026, 5, 20), date(2026, 5, 21)
    assert edges(calendar_spans("day", anchor=date(2026, 5, 18), last=last, today=today)) == [
        ("05-18", "05-19"), ("05-19", "05-20"), ("05-20", "05-21"),
    ]  # fmt: skip
    weeks = calendar_spans("week", anchor=date(2026, 3, 4), last=last, today=today)
    assert weeks[0].start == MONDAY + timedelta(days=7)
    assert all(span.start.weekday() == 0 for span in weeks)
    months = calendar_spans("month", anchor=date(2026, 1, 15), last=last, today=today)
    assert edges(months) == [("02-01", "03-01"), ("03-01", "04-01"), ("04-01", "05-01")]
    assert edges(calendar_spans("month", anchor=date(2026, 1, 1), last=last, today=today))[0] == ("01-01", "02-01")
    assert edges(calendar_spans("month", anchor=date(2025, 12, 1), last=last, today=today))[0] == ("12-01", "01-01")


def test_a_window_that_is_not_over_waits():
    assert calendar_spans("month", anchor=date(2026, 3, 1), last=date(2026, 3, 30), today=date(2026, 3, 31)) == []
    assert spans(anchor=MONDAY, days=7, last=MONDAY, today=MONDAY + timedelta(days=6)) == []


def test_of_rolling_windows_only_those_that_share_no_day_may_raise_alarms():
    found = rolling_spans(anchor=MONDAY, days=28, stride=7, last=MONDAY + timedelta(days=80), today=date(2026, 12, 1))
    assert [span.start for span in found] == [MONDAY + timedelta(days=7 * k) for k in range(12)]
    chosen = [span for span in found if span.disjoint]
    assert len(chosen) == 3
    assert all(b.start >= a.end for a, b in pairwise(chosen))


def test_windows_by_cases_end_with_the_day_that_fills_them():
    counts = {MONDAY + timedelta(days=k): 40 for k in range(9)}
    found = case_spans(counts, anchor=MONDAY, cases=100, today=date(2026, 12, 1))
    assert [(span.end - span.start).days for span in found] == [3, 3, 3]
    assert case_spans(counts, anchor=MONDAY, cases=1000, today=date(2026, 12, 1)) == []


@pytest.mark.parametrize("today", [MONDAY, MONDAY + timedelta(days=2)])
def test_days_that_are_not_over_count_for_nothing(today):
    counts = {MONDAY + timedelta(days=k): 500 for k in range(5)}
    assert all(span.end <= today for span in case_spans(counts, anchor=MONDAY, cases=100, today=today))
