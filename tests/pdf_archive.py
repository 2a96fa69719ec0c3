"""What PDF/A-3a asks of a file, as far as a parser can see it: each remark names the clause of ISO 19005-3.

Not a validator: it looks at what this project's writer could get wrong. Glyph outlines, colour conversion and the
order of reading are not judged.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from fontTools.ttLib import TTFont
from pypdf.generic import ContentStream

STANDARD = (
    "Document Part Art Sect Div BlockQuote Caption TOC TOCI Index NonStruct Private P H H1 H2 H3 H4 H5 H6 L LI Lbl "
    "LBody Table TR TH TD THead TBody TFoot Span Quote Note Reference BibEntry Code Link Annot Figure Formula Form"
)
KNOWN = frozenset(STANDARD.split())
JARS = ("preflight", "pdfbox2", "xmpbox", "fontbox2", "commons-logging", "commons-io", "javax.activation", "jaxb-api")
ONLY_PART_1 = (  # what PDF/A-3 allows and PDF/A-1, the one part that Apache Preflight knows, does not
    "1.2.9 : Body Syntax error, EmbeddedFile entry is present",
    "1.4.7 : Trailer Syntax error, EmbeddedFile entry is present",
    "2.1.6 : Invalid graphics object, Invalid version of the ICCProfile",
    "7.11.2 : Error on MetaData, part must be 1",
)
PAINTING = {b"Tj", b"TJ", b"'", b'"', b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"Do", b"sh", b"BI"}


def remarks(content: bytes) -> list[str]:
    reader = pypdf.PdfReader(io.BytesIO(content))
    root = reader.trailer["/Root"]
    found = [*_syntax(content, reader), *_metadata(root, reader), *_files(root), *_structure(root, reader)]
    fonts: dict[str, Any] = {}
    for page in reader.pages:
        found += _page(page, reader)
        for name, font in page["/Resources"].get("/Font", {}).items():
            fonts[name] = font.get_object()
        for form in page["/Resources"].get("/XObject", {}).values():
            found += _xobject(form.get_object())
    for name, font in fonts.items():
        found += _font(name, font)
    return found


def _syntax(content: bytes, reader: Any) -> Iterator[str]:
    second = content.split(b"\n", 2)[1]
    if not second.startswith(b"%") or sum(byte > 127 for byte in second[1:5]) < 4:
        yield "6.1.2: no line of four bytes above 127 after the header"
    if "/Encrypt" in reader.trailer or "/ID" not in reader.trailer:
        yield "6.1.3: encrypted, or without an identifier"
    for at in re.finditer(rb"/Length (\d+)[^>]*>>\s*stream(\r\n|\n)", content):
        end = at.end() + int(at[1])
        if not re.match(rb"(\r\n|\n|\r)endstream", content[end : end + 12]):
            yield f"6.1.7.1: the stream at byte {at.start()} does not end where its length says, with a line end"
    if b"/LZWDecode" in content:
        yield "6.1.7.2: LZW compression"


def _metadata(root: Any, reader: Any) -> Iterator[str]:
    packet = root["/Metadata"].get_data().decode()
    if not re.search(r'pdfaid:part(>|=")3\b', packet) or not re.search(r'pdfaid:conformance(>|=")A\b', packet):
        yield "6.6.4: part and conformance are not stated"
    if "/Filter" in root["/Metadata"]:
        yield "6.6.2.1: the metadata are compressed"
    for key in ("title", "author", "subject"):
        told = getattr(reader.metadata, key)
        if told and told.replace("&", "&amp;") not in packet:
            yield f"6.6.3: {key} of the information dictionary is not that of the metadata"
    (intent,) = root["/OutputIntents"]
    profile = intent.get_object()["/DestOutputProfile"].get_object()
    if intent.get_object()["/S"] != "/GTS_PDFA1" or profile["/N"] != 3 or profile.get_data()[36:40] != b"acsp":
        yield "6.2.3: no RGB output intent with a profile"
    for key in ("/Requirements", "/AA", "/Perms"):
        if key in root:
            yield f"6.1.12 or 6.5: {key} in the catalogue"


def _files(root: Any) -> Iterator[str]:
    associated = {spec.get_object()["/F"] for spec in root["/AF"]}
    names = root["/Names"]["/EmbeddedFiles"]["/Names"]
    for spec in (part.get_object() for part in names[1::2]):
        held = spec["/EF"]["/F"].get_object()
        if "/AFRelationship" not in spec or "/UF" not in spec or spec["/F"] not in associated:
            yield f"6.8: the attached {spec['/F']} has no relation to the document"
        if "/Subtype" not in held or "/ModDate" not in held.get("/Params", {}):
            yield f"6.8: the attached {spec['/F']} has no media type or date"


def _structure(root: Any, reader: Any) -> Iterator[str]:
    if not root.get("/MarkInfo", {}).get("/Marked") or "/Lang" not in root:
        yield "6.7.2: not marked, or without language"
    tree = root["/StructTreeRoot"]
    roles = set(tree.get("/RoleMap", {}))
    rows = tree["/ParentTree"]["/Nums"]
    back = {int(key): value.get_object() for key, value in zip(rows[::2], rows[1::2], strict=True)}
    seen: dict[tuple[int, int], int] = {}
    annotations: set[int] = set()

    def walk(reference: Any, parent: int) -> Iterator[str]:
        node = reference.get_object()
        tag = str(node["/S"])
        if tag[1:] not in KNOWN and tag not in roles:
            yield f"6.7.3.4: structure type {tag} is neither standard nor mapped"
        if node.raw_get("/P").idnum != parent:
            yield f"6.7.3: element {reference.idnum} names another parent than the one that holds it"
        if tag == "/Figure" and not node.get("/Alt"):
            yield f"6.7.4: figure {reference.idnum} has no words"
        kids = node["/K"] if isinstance(node["/K"], list) else [node["/K"]]
        if tag == "/Table":
            widths = {len(row.get_object()["/K"]) for row in kids}
            if len(widths) > 1:
                yield f"table {reference.idnum} has rows of {sorted(widths)} cells"
        for kid in kids:
            body = kid.get_object()
            if body.get("/Type") == "/MCR":
                seen[body.raw_get("/Pg").idnum, int(body["/MCID"])] = reference.idnum
            elif body.get("/Type") == "/OBJR":
                annotations.add(body.raw_get("/Obj").idnum)
            else:
                yield from walk(kid, reference.idnum)

    yield from walk(tree.raw_get("/K"), root.raw_get("/StructTreeRoot").idnum)
    for page in reader.pages:
        number = page.indirect_reference.idnum
        owners = back.get(int(page["/StructParents"]), [])
        told = {mark: owner.idnum for mark, owner in enumerate(owners)}
        if told != {mark: owner for (at, mark), owner in seen.items() if at == number}:
            yield f"6.7.3: the way back from page {number} is not the tree"
        for reference in page.get("/Annots", []):
            note = reference.get_object()
            if note["/Subtype"] == "/Link":
                if reference.idnum not in annotations or int(note["/StructParent"]) not in back:
                    yield f"6.7.3: the link {reference.idnum} is not in the tree"
                if not note.get("/Contents"):
                    yield f"6.3.3: the link {reference.idnum} has no words"


def _page(page: Any, reader: Any) -> Iterator[str]:
    depth, marks = 0, set()
    for operands, operator in ContentStream(page.get_contents(), reader).operations:
        if operator in (b"BDC", b"BMC"):
            depth += 1
            if operator == b"BDC" and isinstance(operands[1], dict):
                mark = operands[1].get("/MCID")
                if mark in marks:
                    yield f"page {page.page_number + 1}: marked content {mark} twice"
                marks.add(mark)
        elif operator == b"EMC":
            depth -= 1
        elif operator in PAINTING and depth == 0:
            yield f"6.7.3: page {page.page_number + 1} paints ({operator.decode()}) outside of marked content"
        elif operator in (b"k", b"K") or (operator in (b"cs", b"CS") and operands[0] == "/DeviceCMYK"):
            yield f"6.2.4.3: page {page.page_number + 1} uses CMYK"
    if depth:
        yield f"page {page.page_number + 1}: marked content is not closed"
    for state in page["/Resources"].get("/ExtGState", {}).values():
        if state.get_object().get("/TR") or state.get_object().get("/HTP"):
            yield "6.2.5: transfer functions"
    for reference in page.get("/Annots", []):
        note = reference.get_object()
        flags = int(note.get("/F", 0))
        if not flags & 4 or flags & (1 | 2 | 32):
            yield f"6.3.2: annotation {reference.idnum} is not printed, or hidden"
        if note["/Subtype"] == "/Widget" and "/AP" not in note and list(note["/Rect"]) != [0, 0, 0, 0]:
            yield f"6.3.3: the field {note.get('/T')} has no appearance"


def _xobject(form: Any) -> Iterator[str]:
    if form.get("/Subtype") == "/Image":
        if form.get("/Interpolate"):
            yield "6.2.8: an image asks for interpolation"
        if form.get("/ColorSpace") == "/DeviceCMYK":
            yield "6.2.4.3: a CMYK image"
    for inner in form.get("/Resources", {}).get("/XObject", {}).values():
        yield from _xobject(inner.get_object())


def _font(name: str, font: Any) -> Iterator[str]:
    descriptor = font.get("/FontDescriptor", {})
    if "/FontFile2" not in descriptor or "/ToUnicode" not in font:
        yield f"6.2.11.4: font {name} is not embedded with its Unicode map"
        return
    program = TTFont(io.BytesIO(descriptor["/FontFile2"].get_data()))
    units, cmap = program["head"].unitsPerEm, program["cmap"].tables[0].cmap
    for code, width in enumerate(font["/Widths"], start=int(font["/FirstChar"])):
        glyph = cmap.get(code)
        if glyph is not None and abs(program["hmtx"][glyph][0] * 1000 / units - float(width)) > 1:
            yield f"6.2.11.5: width of code {code} in {name} is not that of the font program"


def preflight(content: bytes, folder: Path) -> list[str]:
    """What Apache Preflight says, one line an error; skips where Debian's libpdfbox2-java is not installed."""
    jars = [Path("/usr/share/java") / f"{name}.jar" for name in JARS]
    java = shutil.which("java")
    if java is None or not all(jar.exists() for jar in jars):
        pytest.skip("needs java and Debian's libpdfbox2-java, libactivation-java and libjaxb-api-java")
    path = folder / "checked.pdf"
    path.write_bytes(content)
    done = subprocess.run(
        [java, "-cp", ":".join(map(str, jars)), "org.apache.pdfbox.preflight.Validator_A1b", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if re.match(r"\d+\.\d", line)]
