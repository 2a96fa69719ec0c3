"""PDF/A-3a as far as a parser can see it, and that each of these checks finds its fault."""

import hashlib
import re

import pytest

from reporting.dossier import contents as c
from reporting.dossier.assemble import assemble
from reporting.dossier.pdf.document import render
from tests.dossiers import sources
from tests.pdf_archive import ONLY_PART_1, preflight, remarks


@pytest.fixture(scope="module")
def pdf():
    given, _ = sources(windows=3)
    frozen = c.freeze(assemble(given, salt="5a17"))
    return render(frozen, content_sha256=hashlib.sha256(frozen).hexdigest(), chai_xml=b"<ModelCard/>")


def test_the_file_has_no_remark(pdf):
    assert remarks(pdf) == []


@pytest.mark.parametrize(
    ("before", "after", "clause"),
    [
        (b"\nendstream", b"endstream\n", "6.1.7.1"),
        (b"<pdfaid:part>3", b"<pdfaid:part>4", "6.6.4"),
        (b"/AFRelationship", b"/AFRelationshix", "6.8"),
        (b"/Alt ", b"/Alx ", "6.7.4"),
        (b"/RoleMap << /Title /P >>", b"/RoleMax << /Title /P >>", "6.7.3.4"),
        (b"/F 4 ", b"/F 2 ", "6.3.2"),
        (b"/GTS_PDFA1", b"/GTS_PDFX1", "6.2.3"),
        (b"/Marked true", b"/Marker true", "6.7.2"),
        (b"/S /TD ", b"/S /XD ", "6.7.3.4"),
        (b"/FontFile2", b"/FontFile9", "6.2.11.4"),
    ],
)
def test_each_fault_is_found(pdf, before, after, clause):
    assert before in pdf and len(before) == len(after)
    assert any(clause in remark for remark in remarks(pdf.replace(before, after))), clause


def test_a_wrong_width_is_found(pdf):
    wrong = re.sub(rb"/Widths \[[^\]]*\]", lambda m: m[0].replace(b"602.0508", b"692.0508"), pdf)
    assert wrong != pdf and any("6.2.11.5" in remark for remark in remarks(wrong))


def test_apache_preflight_finds_nothing_but_what_part_1_forbids(pdf, tmp_path):
    """An independent validator: fonts, streams, metadata, annotations, colours."""
    told = preflight(pdf, tmp_path)
    assert told and [line for line in told if not line.startswith(ONLY_PART_1)] == []
