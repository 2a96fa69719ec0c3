"""A canvas that keeps the logical structure: every piece of content is in a tagged element or marked as an artefact.

Readers that speak, and programs that extract tables, follow this tree (ISO 32000-1, 14.7 and 14.8).
"""

from __future__ import annotations

from typing import Any

from reportlab.pdfbase import pdfdoc
from reportlab.pdfgen.canvas import Canvas


class Element(pdfdoc.PDFObject):
    """One structure element; ``kids`` are elements or (page name, marked-content id)."""

    __RefOnly__ = 1
    __slots__ = ("alt", "kids", "name", "parent", "tag")

    def __init__(self, name: str, tag: str, parent: str, alt: str = "") -> None:
        self.name, self.tag, self.parent, self.alt = name, tag, parent, alt
        self.kids: list[Any] = []

    def format(self, document: Any) -> bytes:
        def ref(name: str) -> bytes:
            return bytes(pdfdoc.PDFObjectReference(name).format(document))

        kids = []
        for kid in self.kids:
            if isinstance(kid, Element):
                kids.append(ref(kid.name))
            else:
                page, place = kid
                kids.append(b"<< /Type /MCR /Pg " + ref(page) + b" /MCID %d >>" % place)
        parts = [
            b"<< /Type /StructElem /S /",
            self.tag.encode(),
            b" /P ",
            ref(self.parent),
            b" /K [",
            b" ".join(kids),
            b"]",
        ]
        if self.tag == "TH":
            parts.append(b" /A << /O /Table /Scope /Column >>")
        if self.alt:
            parts.append(b" /Alt " + bytes(pdfdoc.PDFString(self.alt).format(document)))
        return b"".join([*parts, b" >>"])


class _Tree(pdfdoc.PDFObject):
    """Root of the tree, with the way back from each page's marked content to its element."""

    __RefOnly__ = 1

    def __init__(self, canvas: TaggedCanvas) -> None:
        self.canvas = canvas

    def format(self, document: Any) -> bytes:
        def ref(name: str) -> bytes:
            return bytes(pdfdoc.PDFObjectReference(name).format(document))

        rows = [
            b"%d [%s]" % (number, b" ".join(ref(e.name) for e in owners))
            for number, owners in enumerate(self.canvas.owners)
            if owners
        ]
        return b"".join(
            [
                b"<< /Type /StructTreeRoot /K ",
                ref(self.canvas.root.name),
                b" /ParentTree << /Nums [",
                b"\n".join(rows),
                b"] >> /ParentTreeNextKey %d >>" % len(self.canvas.owners),
            ]
        )


class _Page(pdfdoc.PDFPage):
    __NoDefault__ = (*pdfdoc.PDFPage.__NoDefault__, "StructParents", "Tabs")
    __Refs__ = pdfdoc.PDFPage.__Refs__


class _Catalog(pdfdoc.PDFCatalog):
    __NoDefault__ = (*pdfdoc.PDFCatalog.__NoDefault__, "AF", "OutputIntents")
    __Refs__ = tuple(name for name in pdfdoc.PDFCatalog.__NoDefault__ if name != "PageMode")


class TaggedCanvas(Canvas):
    """Call :meth:`open` and :meth:`close` around groups, :meth:`mark` and :meth:`unmark` around drawn content."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._doc.Catalog.__class__ = _Catalog
        self.owners: list[list[Element]] = [[]]  # by page, then by marked-content id
        self.root = Element("StructRoot0", "Document", "StructTree")
        self.stack = [self.root]
        self.count = 0
        self.all_elements: list[Element] = [self.root]

    def _make_preamble(self) -> None:
        self._preamble = "1 0 0 1 0 0 cm"  # without the standard font that the base class names and never embeds

    def element(self, tag: str, alt: str = "") -> Element:
        self.count += 1
        made = Element(f"Struct{self.count}", tag, self.stack[-1].name, alt)
        self.stack[-1].kids.append(made)
        self.all_elements.append(made)
        return made

    def open(self, tag: str, alt: str = "") -> Element:
        made = self.element(tag, alt)
        self.stack.append(made)
        return made

    def close(self) -> None:
        self.stack.pop()

    def mark(self, tag: str, alt: str = "") -> None:
        """Start content that belongs to a new element ``tag`` under the open one."""
        self.mark_in(self.element(tag, alt))

    def mark_in(self, owner: Element) -> None:
        place = len(self.owners[-1])
        self.owners[-1].append(owner)
        owner.kids.append((f"Page{self._pageNumber}", place))
        self._code.append(f"/{owner.tag} <</MCID {place}>> BDC")

    def unmark(self) -> None:
        self._code.append("EMC")

    def mark_artefact(self) -> None:
        self._code.append("/Artifact BMC")

    def showPage(self) -> None:  # noqa: N802 -- the base class names it
        name = f"Page{self._pageNumber}"
        super().showPage()
        page = self._doc.idToObject[name]
        page.__class__ = _Page
        page.StructParents, page.Tabs = len(self.owners) - 1, pdfdoc.PDFName("S")
        self.owners.append([])

    def settle(self) -> None:
        """Hang the tree into the catalogue; once, after the last page."""
        document = self._doc
        for element in self.all_elements:
            document.Reference(element, element.name)
        document.Reference(_Tree(self), "StructTree")
        document.Catalog.StructTreeRoot = pdfdoc.PDFObjectReference("StructTree")
        document.Catalog.MarkInfo = pdfdoc.PDFDictionary(
            {"Marked": pdfdoc.PDFTrue if hasattr(pdfdoc, "PDFTrue") else "true"}
        )
