"""Charts are well-formed, say what they show, and never rely on colour alone."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from assurance.charts.panel import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis, Decor, panel, panel_data
from assurance.charts.scale import Scale, round_ticks
from assurance.charts.small import histogram_pair, sparkline
from assurance.charts.strip import strip, strip_data

START = datetime(2026, 1, 5, tzinfo=UTC)
AXIS = Axis(START, START + timedelta(weeks=6))


def weeks(values, states, **more):
    return [
        SimpleNamespace(
            end=START + timedelta(weeks=i + 1), value=value, state=state, n_cases=200 + i,
            **{"low": None, "high": None, "chance": None, **more},
        )
        for i, (value, state) in enumerate(zip(values, states, strict=True))
    ]  # fmt: skip


def test_ticks_are_round_and_cover_the_span():
    ticks = round_ticks(0.013, 0.47)
    assert ticks[0] <= 0.013
    assert ticks[-1] >= 0.47
    assert ticks == [0.0, 0.2, 0.4, 0.6]


def test_a_scale_maps_ends_to_ends():
    scale = Scale(0, 10, 100, 0)
    assert (scale(0), scale(10), scale(5)) == (100, 0, 50)


def test_a_panel_marks_each_state_by_its_own_shape_and_breaks_at_missing_values():
    steps = weeks([0.1, 0.3, None, 0.6, 0.2], ["ok", "watch", "insufficient", "act", "ok"])
    decor = Decor(watch=0.2, act=0.5, markers=[(START + timedelta(weeks=3), "software <update>", "software")])
    picture = panel(steps, AXIS, key="p0", title="W1/σ of <score>", decor=decor)
    root = ElementTree.fromstring(picture)
    assert [element.tag for element in root.iter()].count("polyline") == 2  # broken once
    shapes = {
        element.get("class"): re.sub(r"M[\d.]+ [\d.]+", "", element.get("d"))
        for element in root.iter("path")
        if element.get("class").startswith("point")
    }
    assert set(shapes) == {"point ok", "point watch", "point act"}
    assert len(set(shapes.values())) == 3  # the shape alone tells them apart
    assert "1 at act, 1 at watch" in root.get("aria-label")
    assert "<score>" in root.get("aria-label")
    assert "software <update>" in [element.text for element in root.iter("text")]


def test_values_stand_where_the_axes_say():
    steps = weeks([0.0, 0.5, 1.0], ["ok"] * 3)
    axis = Axis(steps[0].end, steps[-1].end)
    root = ElementTree.fromstring(panel(steps, axis, key="p0", title="score"))
    points = next(root.iter("polyline")).get("points").split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert places[0] == (LEFT, 150 - BOTTOM)
    assert places[-1] == (WIDTH - RIGHT, TOP)
    assert places[1] == pytest.approx(((LEFT + WIDTH - RIGHT) / 2, (150 - BOTTOM + TOP) / 2), abs=0.51)


def test_the_data_of_a_panel_are_the_values_themselves():
    steps = weeks([0.1, None], ["ok", "insufficient"], low=0.05, high=0.2)
    data = panel_data(steps, unit="HU")
    assert (data["v"], data["s"], data["n"], data["u"]) == ([0.1, None], "oi", [200, 201], "HU")
    assert (data["l"], data["h"]) == ([0.05, 0.05], [0.2, 0.2])
    assert data["t"] == [int(step.end.timestamp()) for step in steps]
    assert "c" not in data


def test_names_cannot_break_out_of_the_picture():
    for picture in (
        sparkline([0.1, 0.2], title='"><script>alert(1)</script>'),
        panel(weeks([0.1], ["ok"]), AXIS, key="p0", title='"><script>alert(1)</script>'),
    ):
        assert "<script" not in picture
        ElementTree.fromstring(picture)


def test_a_sparkline_breaks_at_missing_values_and_marks_the_last_known_one():
    root = ElementTree.fromstring(sparkline([0.1, None, 0.3, None], title="score", state="act", limit=0.5))
    course, limit, mark = root.iter("path")
    assert course.get("d").count("M") == 2
    assert limit.get("class") == "limit-act"
    assert mark.get("class") == "point act"
    assert mark.get("d").startswith(f"M{3 + 2 * 111 // 3} ")


def test_a_strip_and_a_pair_of_histograms_are_well_formed():
    ends = [START + timedelta(weeks=i) for i in range(3)]
    rows = [("input:score", "Score", {ends[0]: "ok", ends[2]: "act"}), ("input:age", "Age <65", {ends[1]: "watch"})]
    root = ElementTree.fromstring(strip(rows, ends))
    assert "act: Score" in root.get("aria-label")
    assert strip_data(rows, ends)["s"] == ["o-a", "-w-"]
    ElementTree.fromstring(histogram_pair(([0.5, 0.5], [0.2, 0.8]), labels=["0–0.5", "0.5–1"], title="score"))
