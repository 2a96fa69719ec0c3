"""Every kind of section printed with real contents, read back from the pages."""

import hashlib
import io
import re

import pypdf
import pytest

from reporting.dossier import contents as c
from reporting.dossier import numbers
from reporting.dossier.assemble import assemble
from reporting.dossier.pdf.document import render
from tests.full_dossier import INCIDENTS, QUESTION, SUBMISSION, full_sources
from tests.pdf_archive import remarks


@pytest.fixture(scope="module")
def made():
    given, _, pictures = full_sources(windows=3)
    frozen = c.freeze(assemble(given, salt="5a17"))
    pdf = render(
        frozen,
        content_sha256=hashlib.sha256(frozen).hexdigest(),
        chai_xml=b"<ModelCard/>",
        read_file=pictures.get,
    )
    return c.thaw(frozen), pdf


@pytest.fixture(scope="module")
def pages(made):
    """Text of each section, by its number, from the first page whose running head names it."""
    found: dict[str, str] = {}
    for page in pypdf.PdfReader(io.BytesIO(made[1])).pages:
        text = re.sub(r"\s+", " ", page.extract_text())
        for section in made[0].sections:
            if section.title in text:
                found[section.number] = found.get(section.number, "") + " " + text
    return found


def test_question_plan_and_decisions(pages):
    assert QUESTION in pages["02"] and "sensitivity below 0.80 in two windows" in pages["02"]
    assert "Plan is sound. Conditions: monthly report (open)" in pages["02"]


def test_questions_answers_and_plan_changes_stand_in_order_in_the_time_line(pages):
    told = [activity["text"] for activity in SUBMISSION["activities"]]
    places = [pages["21"].index(text) for text in told]
    assert places == sorted(places)
    assert "Amendment of the plan, approved" in pages["21"]
    assert "detector replaced" in pages["16"] and "Sensitivity limit added" in pages["16"]


def test_incidents_with_their_clocks(pages):
    (incident,) = INCIDENTS
    for words in (
        incident["title"],
        "due 2026-03-24 07:40 UTC, reported 2026-03-12 16:00 UTC, met",
        "2026-03-09 07:40",
    ):
        assert words in pages["19"], words
    assert "1 incident over 3,600 cases" in pages["19"]


def test_severity_curves_show_the_values_that_the_table_prints(made, pages):
    contents, _ = made
    figure = next(f for f in contents.figures() if f.chart == "severity")
    assert [curve["name"] for curve in figure.data["curves"]] == ["exposure", "jpeg", "scatter"]
    for curve in figure.data["curves"]:
        assert [point[0] for point in curve["points"]] == [0, 1, 2, 3, 4, 5]
        for severity, value, low, high in curve["points"]:
            assert low < value < high
            assert numbers.printed(value) in pages["08"], (curve["name"], severity)


def test_roc_reliability_and_subgroups(made, pages):
    contents, _ = made
    kinds = {f.chart for f in contents.figures()}
    assert {"roc", "reliability", "subgroup_gaps", "forest", "timeline", "severity", "path"} <= kinds
    assert "ROC curve of the period" in pages["07"] and "threshold 0.5" in pages["07"]
    assert "sex female" in pages["07"]


def test_paths_of_charts_and_e_processes_with_their_alarms_and_promises(made, pages):
    contents, _ = made
    paths = {f.title: f for f in contents.figures() if f.chart == "path"}
    assert len(paths) == 5
    cusum = paths["CUSUM of weekly means: score"]
    finding = contents.evidence[cusum.evidence[0]].finding
    assert cusum.data["alarm"] == finding["details"]["alarm_index"] >= 10  # the change is in week 11
    assert "16 weeks of 1,920 cases, alarm at week" in pages["18"]
    assert f"alarm limit {numbers.printed(finding['details']['limit'])} (a false alarm in 156 weeks)" in pages["18"]
    process = paths["E-process of errors: 1 − sensitivity"]
    assert process.data["limit"] == pytest.approx(3.699, abs=1e-3)  # log10 of 5,000
    assert "By design one false alarm in 5,000 case" in pages["07"]


def test_overlays_have_scale_legend_and_the_barred_map_is_only_named(pages):
    assert "100 mm" in pages["11"] and "Warm colours" in pages["11"]
    assert "Masking the marked region lowers the score from 0.91 to 0.34" in pages["11"]
    assert "the map does not depend on the model" in pages["11"]


def test_the_full_dossier_has_no_remark(made):
    assert remarks(made[1]) == []
