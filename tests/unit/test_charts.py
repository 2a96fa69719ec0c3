"""Charts are well-formed, say what they show, and never rely on colour alone."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from assurance.charts.points import Limits, Marker, Point, Series
from assurance.charts.scale import Scale, round_ticks
from assurance.charts.small import histogram_pair, sparkline, state_strip
from assurance.charts.timeline import timeline

START = datetime(2026, 1, 5, tzinfo=UTC)


def weeks(values, states):
    return [
        Point(START + timedelta(weeks=i), value, state, f"week {i}")
        for i, (value, state) in enumerate(zip(values, states, strict=True))
    ]


def test_ticks_are_round_and_cover_the_span():
    ticks = round_ticks(0.013, 0.47)
    assert ticks[0] <= 0.013
    assert ticks[-1] >= 0.47
    assert ticks == [0.0, 0.2, 0.4, 0.6]


def test_a_scale_maps_ends_to_ends():
    scale = Scale(0, 10, 100, 0)
    assert (scale(0), scale(10), scale(5)) == (100, 0, 50)


def test_a_timeline_marks_each_state_by_its_own_shape_and_breaks_at_missing_values():
    points = weeks([0.1, 0.3, None, 0.6, 0.2], ["ok", "watch", "insufficient", "act", "ok"])
    picture = timeline(
        Series("W1/σ of score", points), start=START, end=START + timedelta(weeks=6),
        limits=Limits(watch=0.2, act=0.5), markers=(Marker(START + timedelta(weeks=3), "software <update>"),),
    )  # fmt: skip
    root = ElementTree.fromstring(picture)
    names = [element.tag for element in root.iter()]
    assert names.count("polyline") == 2  # broken once
    assert {element.get("class") for element in root.iter("rect")} == {"point act"}
    assert {element.get("class") for element in root.iter("polygon")} == {"point watch"}
    assert "1 in state act" in root.get("aria-label")


def test_names_cannot_break_out_of_the_picture():
    picture = sparkline([0.1, 0.2], title='"><script>alert(1)</script>')
    assert "<script" not in picture
    ElementTree.fromstring(picture)


def test_a_strip_and_a_pair_of_histograms_are_well_formed():
    ElementTree.fromstring(state_strip([("score", [("ok", "week 1", ""), ("act", "week 2", "/finding/1")])]))
    ElementTree.fromstring(histogram_pair(([0.5, 0.5], [0.2, 0.8]), labels=["0–0.5", "0.5–1"], title="score"))
