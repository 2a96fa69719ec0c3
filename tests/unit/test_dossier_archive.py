"""PDF/A-3a as far as a parser can see it, and that each of these checks finds its fault."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reporting.dossier import contents as c
from reporting.dossier.assemble import assemble
from reporting.dossier.pdf.document import render
from tests.dossiers import sources
from tests.pdf_archive import remarks

JARS = ("preflight", "pdfbox2", "xmpbox", "fontbox2", "commons-logging", "commons-io", "javax.activation", "jaxb-api")
ONLY_PART_1 = (  # what PDF/A-3 allows and PDF/A-1, the one part that Apache Preflight knows, does not
    "1.2.9 : Body Syntax error, EmbeddedFile entry is present",
    "1.4.7 : Trailer Syntax error, EmbeddedFile entry is present",
    "2.1.6 : Invalid graphics object, Invalid version of the ICCProfile",
    "7.11.2 : Error on MetaData, part must be 1",
)


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
    """An independent validator, where Debian's libpdfbox2-java is installed: fonts, streams, metadata, annotations."""
    jars = [Path("/usr/share/java") / f"{name}.jar" for name in JARS]
    java = shutil.which("java")
    if java is None or not all(jar.exists() for jar in jars):
        pytest.skip("needs java and Debian's libpdfbox2-java, libactivation-java and libjaxb-api-java")
    path = tmp_path / "dossier.pdf"
    path.write_bytes(pdf)
    classes = ":".join(map(str, jars))
    done = subprocess.run(
        [java, "-cp", classes, "org.apache.pdfbox.preflight.Validator_A1b", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if re.match(r"\d+\.\d", line)]
    assert told and [line for line in told if not line.startswith(ONLY_PART_1)] == []
