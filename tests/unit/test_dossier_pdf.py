"""The document itself: same bytes everywhere, readable back, tagged, with its twin inside."""

import hashlib
import io
import json
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import msgspec
import pypdf
import pytest

from records.canonical import canonical_json
from reporting.dossier import contents as c
from reporting.dossier import numbers
from reporting.dossier.assemble import assemble
from reporting.dossier.pdf.document import render
from tests.dossiers import identity, sources


@pytest.fixture(scope="module")
def frozen():
    given, _ = sources(windows=3)
    return c.freeze(assemble(given, salt="5a17"))


@pytest.fixture(scope="module")
def pdf(frozen):
    return render(frozen, content_sha256=hashlib.sha256(frozen).hexdigest(), chai_xml=b"<ModelCard/>")


@pytest.fixture(scope="module")
def reader(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


def test_freezing_and_thawing_change_nothing(frozen):
    assert canonical_json(msgspec.to_builtins(c.thaw(frozen))) == frozen


def test_the_same_contents_give_the_same_bytes_in_another_zone_locale_and_folder(frozen, pdf, tmp_path):
    (tmp_path / "contents.json").write_bytes(frozen)
    program = textwrap.dedent("""
        import hashlib, sys
        from reporting.dossier.pdf.document import render
        content = open("contents.json", "rb").read()
        pdf = render(content, content_sha256=hashlib.sha256(content).hexdigest(), chai_xml=b"<ModelCard/>")
        print(hashlib.sha256(pdf).hexdigest())
    """)
    elsewhere = {
        "TZ": "Pacific/Auckland",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": str(Path.cwd()),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(pdf).hexdigest()


def test_every_printed_value_is_the_value_of_its_finding(frozen, reader):
    """Each row of a results table, read back from the page: evidence id, then the value as the twin has it."""
    text = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))
    contents = c.thaw(frozen)
    shown = {key for s in contents.sections for b in s.blocks if isinstance(b, c.Results) for key in b.evidence}
    assert len(shown) > 50
    for key in shown:
        finding = contents.evidence[key].finding
        value = numbers.with_unit(finding["value"], finding["unit"])
        rows = [text[m.end() : m.end() + 400] for m in re.finditer(key, text)]
        assert any(value in row and f"{finding['n_cases']:,}" in row for row in rows), (key, value)
        for method_part in (finding["method"]["key"], "seed", "window", "reference"):
            assert any(method_part in row for row in rows), (key, method_part)


def test_the_twin_inside_is_the_frozen_contents(frozen, reader):
    assert reader.attachments["dossier.json"] == [frozen]
    assert reader.attachments["model-card.xml"] == [b"<ModelCard/>"]
    root = reader.trailer["/Root"]
    assert {spec.get_object()["/AFRelationship"] for spec in root["/AF"]} == {"/Data", "/Supplement"}


def test_metadata_name_the_contents_and_the_card(frozen, reader):
    digest = hashlib.sha256(frozen).hexdigest()
    packet = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert f"<vigil:contentSha256>{digest}</vigil:contentSha256>" in packet
    assert "<pdfaid:part>3</pdfaid:part>" in packet and "chaiMcXml" in packet
    assert reader.metadata["/chaiMcXml"] == "<ModelCard/>" and reader.metadata["/chaiMcSoftwareId"].startswith("Vigil")
    assert reader.trailer["/Root"]["/Lang"] == "en-GB"


def test_every_page_has_number_hash_and_page_of_pages(frozen, reader):
    digest, pages = hashlib.sha256(frozen).hexdigest(), len(reader.pages)
    for number, page in enumerate(reader.pages, start=1):
        text = page.extract_text()
        assert digest in text and "D-2026-0007" in text
        if number > 1:
            assert re.search(rf"Page {number}\s+of {pages}\b", text), text[-200:]


def test_page_one_states_status_gaps_and_failed_checks_first(frozen, reader):
    contents = c.thaw(frozen)
    text = re.sub(r"\s+", " ", reader.pages[0].extract_text())
    assert "Action is needed" in text and "Failed checks" in text and "Open gaps" in text
    assert f"{contents.banner.n_gaps} gaps" in text
    assert contents.banner.failed[0] in text
    assert "not an approval" in text


def test_all_fonts_are_embedded_with_their_unicode(reader):
    fonts = {}
    for page in reader.pages:
        fonts |= {name: font.get_object() for name, font in page["/Resources"]["/Font"].items()}
    assert fonts
    for font in fonts.values():
        assert "/FontFile2" in font["/FontDescriptor"] and "/ToUnicode" in font


def test_the_text_is_tagged_and_every_section_is_a_bookmark(frozen, reader):
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    kinds = set()

    def walk(node):
        node = node.get_object()
        kinds.add(node.get("/S"))
        for kid in node["/K"] if isinstance(node.get("/K"), list) else []:
            kid = kid.get_object()
            if kid.get("/Type") == "/StructElem":
                walk(kid)

    walk(root["/StructTreeRoot"]["/K"])
    assert {"/Document", "/H1", "/H2", "/P", "/Table", "/TR", "/TH", "/TD", "/Figure", "/Caption", "/TOC"} <= kinds
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert [f"{s.number} {s.title}" for s in c.thaw(frozen).sections] == [t for t in titles if t[:2].isdigit()]


def test_figures_say_in_words_what_they_draw(reader):
    alts = []

    def walk(node):
        node = node.get_object()
        if node.get("/S") == "/Figure":
            alts.append(node.get("/Alt", ""))
        for kid in node["/K"] if isinstance(node.get("/K"), list) else []:
            if kid.get_object().get("/Type") == "/StructElem":
                walk(kid)

    walk(reader.trailer["/Root"]["/StructTreeRoot"]["/K"])
    assert alts and all(len(alt) > 20 for alt in alts)


def test_text_of_any_script_is_kept_and_nothing_is_markup(tmp_path):
    given, _ = sources(windows=1)
    title = "Lungenröntgen <b>Žižkov</b> & Αθήνα Ελλάδα Київ"
    frozen = c.freeze(assemble(replace(given, identity=identity(title=title)), salt="5a17"))
    reader = pypdf.PdfReader(io.BytesIO(render(frozen, content_sha256=hashlib.sha256(frozen).hexdigest())))
    assert title in re.sub(r"\s+", " ", reader.pages[0].extract_text())


def test_a_source_that_breaks_is_a_printed_gap(frozen):
    given, _ = sources(windows=1)
    broken = replace(given, alarms=[{"nonsense": 1}], plan={"revision": 1}, incidents=[{}])
    made = assemble(broken, salt="5a17")
    reasons = " ".join(g.reason for _, g in made.gaps())
    assert reasons.count("A record has a shape that this section cannot print") >= 3
    assert render(c.freeze(made), content_sha256="0" * 64).startswith(b"%PDF-1.7")


def test_a_dossier_of_nothing_says_so():
    given, _ = sources(windows=1)
    made = assemble(replace(given, evidence=(), deployment=None, sites=[]), salt="5a17")
    assert made.banner.state == "insufficient" and made.banner.notices == [
        "No finding lies in this period: nothing was measured."
    ]
    pages = pypdf.PdfReader(io.BytesIO(render(c.freeze(made), content_sha256="0" * 64))).pages
    assert "nothing was measured" in pages[0].extract_text()


def test_the_sections_are_those_of_the_outline():
    import yaml

    from reporting.dossier.sections.catalogue import sections

    path = "assurance/data/regulation/dossier_sections.yaml"
    wanted = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["sections"]
    assert [(s.id, s.title, list(s.kinds)) for s in sections()] == [(w["id"], w["title"], w["kinds"]) for w in wanted]


@pytest.mark.parametrize("chart", ["timeline", "forest", "subgroup_gaps", "reliability", "roc", "severity", "path"])
def test_each_chart_is_one_picture_in_three_forms(chart):
    """The SVG is well formed and holds every word of the picture; the PNG has ink."""
    from xml.etree import ElementTree

    from PIL import Image

    from reporting.dossier.charts.catalogue import draw
    from reporting.dossier.charts.picture import Words
    from reporting.dossier.charts.png import png
    from reporting.dossier.charts.svg import svg

    row = {"name": "north & <south>", "value": 0.8, "low": 0.7, "high": 0.9, "n": 120, "state": "ok"}
    data = {
        "timeline": {
            "points": [
                {
                    "start": f"2026-0{m}-01T00:00:00+00:00",
                    "end": f"2026-0{m + 1}-01T00:00:00+00:00",
                    "value": None if m == 2 else 0.1 * m,
                    "low": 0.05,
                    "high": 0.6,
                    "state": "act",
                }
                for m in (1, 2, 3)
            ],
            "zero": True,
            "watch": 0.2,
            "act": 0.5,
            "chance": [0.1, 0.1, 0.1],
            "changes": [{"at": "2026-02-10T00:00:00+00:00", "word": "alarm"}],
            "unit_words": "w1",
        },
        "forest": {
            "rows": [row, {**row, "value": None}],
            "pooled": {**row, "prediction": [0.6, 0.95]},
            "unit_words": "auroc",
        },
        "subgroup_gaps": {"groups": [{"factor": "sex", "rows": [row]}], "line": 0.8, "unit_words": "auroc"},
        "reliability": {
            "bins": [{"score": 0.1 * k, "observed": 0.1 * k, "low": 0.0, "high": 1.0, "n": 30} for k in range(10)]
        },
        "roc": {
            "curves": [{"name": "all", "points": [[0, 0], [0.2, 0.8], [1, 1]]}],
            "marks": [{"x": 0.2, "y": 0.8, "word": "threshold"}],
        },
        "severity": {
            "curves": [{"name": "noise", "points": [[s, 0.9 - 0.1 * s, 0.3, 0.95] for s in range(6)]}],
            "unit_words": "dice",
        },
        "path": {"values": [0.1 * k for k in range(30)], "limit": 2.0, "alarm": 20},
    }[chart]
    picture = draw(chart, data, width=480)
    root = ElementTree.fromstring(svg(picture, title="A & B"))
    words = {e.text for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert words == {m.text for m in picture.marks if isinstance(m, Words)}
    image = Image.open(io.BytesIO(png(picture))).convert("L")
    assert image.size == (960, round(picture.height * 4) // 2) and image.getextrema()[0] < 80
    for mark in picture.marks:
        for x, y in [mark.at] if isinstance(mark, Words) else getattr(mark, "points", []):
            assert -2 <= x <= 482 and -2 <= y <= picture.height + 2, mark


def test_numbers_are_spelt_one_way():
    assert (
        numbers.printed(0.98765) == "0.9877"
        and numbers.printed(-0.5) == "−0.5"
        and numbers.printed(12345.678) == "12,345.7"
    )
    assert numbers.moment("2026-11-24T21:10:00+00:00") == "2026-11-24 21:10 UTC"
    assert (
        json.loads(json.dumps(numbers.interval({"low": 0.8, "high": 0.9, "level": 0.95, "method": "delong_logit"})))
        == "0.8 to 0.9 (95 %, delong logit)"
    )
