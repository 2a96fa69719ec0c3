"""A canvas that keeps the logical structure: every piece of content is in a tagged element or marked as an artefact.

Readers that speak, and programs that extract tables, follow this tree (ISO 32000-1, 14.7 and 14.8).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from reportlab.pdfbase import pdfdoc, pdfmetrics
from reportlab.pdfgen.canvas import Canvas

from reporting.dossier.pdf.written import WrittenDocument

ROLES = b"<< /Title /P >>"  # structure types of ours that ISO 32000-1 does not know, and what they stand for
RUNS_KEPT = 4000


class Element:
    """One structure element; ``kids`` are elements, places of marked content, or numbers of written elements."""

    __slots__ = ("alt", "kids", "number", "parent", "scope", "tag")

    def __init__(self, number: int, tag: str, parent: int, alt: str = "", scope: str = "") -> None:
        self.number, self.tag, self.parent, self.alt, self.scope = number, tag, parent, alt, scope
        self.kids: list[Any] = []


class _Place:
    """Marked content ``mark`` of the page that is being drawn, or an annotation on it."""

    __slots__ = ("annotation", "mark")

    def __init__(self, *, mark: int = -1, annotation: str = "") -> None:
        self.mark, self.annotation = mark, annotation


class _Page(pdfdoc.PDFPage):  # type: ignore[misc]
    __NoDefault__ = (*pdfdoc.PDFPage.__NoDefault__, "StructParents", "Tabs")
    __Refs__ = pdfdoc.PDFPage.__Refs__


class _Catalog(pdfdoc.PDFCatalog):  # type: ignore[misc]
    __NoDefault__ = (*pdfdoc.PDFCatalog.__NoDefault__, "AF", "OutputIntents")
    __Refs__ = tuple(name for name in pdfdoc.PDFCatalog.__NoDefault__ if name != "PageMode")


class _Link(pdfdoc.LinkAnnotation):  # type: ignore[misc]
    permitted = (*pdfdoc.LinkAnnotation.permitted, "StructParent")


class TaggedCanvas(Canvas):  # type: ignore[misc]
    """Call :meth:`open` and :meth:`close` around groups, :meth:`mark` and :meth:`unmark` around drawn content."""

    def __init__(self, filename: io.BytesIO, **options: Any) -> None:
        super().__init__(filename, **options)
        document = self._doc
        document.__class__ = WrittenDocument
        document.begin(filename)
        document.Catalog.__class__ = _Catalog
        self._tree = document.number()
        self.root = Element(document.number(), "Document", self._tree)
        self.stack = [self.root]
        self._owners: list[int] = []  # of the page being drawn, by marked-content id
        self._parents: list[int] = []  # written arrays and elements, by key of the tree's way back
        self._runs: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._fills: dict[Any, str] = {}
        self.before_saving: Callable[[], None] = lambda: None

    def _make_preamble(self) -> None:
        self._preamble = "1 0 0 1 0 0 cm"  # without the standard font that the base class names and never embeds

    # Structure

    def element(self, tag: str, alt: str = "", scope: str = "") -> Element:
        parent = self.stack[-1]
        made = Element(self._doc.number(), tag, parent.number, alt, scope)
        parent.kids.append(made)
        return made

    def open(self, tag: str, alt: str = "") -> Element:
        made = self.element(tag, alt)
        self.stack.append(made)
        return made

    def close(self) -> None:
        self.stack.pop()

    def mark(self, tag: str, alt: str = "", scope: str = "") -> Element:
        """Start content that belongs to a new element ``tag`` under the open one."""
        owner = self.element(tag, alt, scope)
        self.mark_in(owner)
        return owner

    def mark_in(self, owner: Element) -> None:
        """Start content that belongs to ``owner``, an element of this page."""
        owner.kids.append(_Place(mark=len(self._owners)))
        self._code.append(f"/{owner.tag} <</MCID {len(self._owners)}>> BDC")
        self._owners.append(owner.number)

    def unmark(self) -> None:
        self._code.append("EMC")

    def mark_artefact(self) -> None:
        self._code.append("/Artifact BMC")

    def link(self, words: str, key: str, rect: tuple[float, float, float, float], owner: Element) -> None:
        """A link to the destination ``key``, told to readers that speak as ``words``, under ``owner``."""
        element = Element(self._doc.number(), "Link", owner.number)
        owner.kids.append(element)
        name = f"Link{element.number}"
        element.kids.append(_Place(annotation=name))
        self._addAnnotation(
            _Link(
                Rect=self._absRect(rect, 1),
                Contents=words,
                Destination=self._bookmarkReference(key),
                Border="[0 0 0]",
                F=4,  # printed: PDF/A allows no annotation that hides
                StructParent=len(self._parents),
            ),
            name,
        )
        self._parents.append(element.number)

    def showPage(self) -> None:  # noqa: N802 -- the base class names it
        name = f"Page{self._pageNumber}"
        super().showPage()
        document = self._doc
        page = document.idToObject[name]
        page.__class__ = _Page
        page.Contents, page.stream = document.put_stream(page.stream.encode()), None
        page.StructParents, page.Tabs = len(self._parents), pdfdoc.PDFName("S")
        owners = document.number()
        document.put(owners, b"[" + b" ".join(b"%d 0 R" % number for number in self._owners) + b"]")
        self._parents.append(owners)
        self._owners = []
        self.root.kids = [self._put(kid, document.number_of(name)) for kid in self.root.kids]

    def _put(self, element: Any, page: int) -> int:
        """Write ``element`` with all below it; its number."""
        if isinstance(element, int):
            return element
        kids = []
        for kid in element.kids:
            if isinstance(kid, _Place) and kid.annotation:
                at = self._doc.number_of(self._doc.annotationName(kid.annotation))
                kids.append(b"<< /Type /OBJR /Pg %d 0 R /Obj %d 0 R >>" % (page, at))
            elif isinstance(kid, _Place):
                kids.append(b"<< /Type /MCR /Pg %d 0 R /MCID %d >>" % (page, kid.mark))
            else:
                kids.append(b"%d 0 R" % self._put(kid, page))
        self._doc.put(element.number, self._body(element, b" ".join(kids)))
        return int(element.number)

    def _body(self, element: Element, kids: bytes) -> bytes:
        parts = [b"<< /Type /StructElem /S /%b /P %d 0 R /K [%b]" % (element.tag.encode(), element.parent, kids)]
        if element.scope:
            parts.append(b" /A << /O /Table /Scope /%b >>" % element.scope.encode())
        if element.alt:
            parts.append(b" /Alt " + bytes(pdfdoc.PDFString(element.alt).format(self._doc)))
        return b"".join([*parts, b" >>"])

    def save(self) -> None:
        if self._code:
            self.showPage()
        self._settle()
        self.before_saving()
        super().save()

    def _settle(self) -> None:
        """Hang the tree into the catalogue; once, after the last page."""
        document = self._doc
        document.put(self.root.number, self._body(self.root, b" ".join(b"%d 0 R" % kid for kid in self.root.kids)))
        rows = b"\n".join(b"%d %d 0 R" % pair for pair in enumerate(self._parents))
        document.put(
            self._tree,
            b"<< /Type /StructTreeRoot /K %d 0 R /RoleMap %b /ParentTree << /Nums [%b] >> /ParentTreeNextKey %d >>"
            % (self.root.number, ROLES, rows, len(self._parents)),
        )
        document.Catalog.StructTreeRoot = document.named(self._tree)
        document.Catalog.MarkInfo = pdfdoc.PDFDictionary({"Marked": "true"})

    # Drawing, without the base class's many steps for each string and colour

    def put_text(self, x: float, y: float, text: str, face: str, size: float) -> None:
        runs = self._runs.get((face, text))
        if runs is None:
            if len(self._runs) > RUNS_KEPT:
                self._runs.clear()
            font = pdfmetrics.getFont(face)
            runs = self._runs[face, text] = [
                (font.getSubsetInternalName(subset, self._doc), self._escape(part))
                for subset, part in font.splitString(text, self._doc)
            ]
        shown = " ".join(f"{name} {size:g} Tf ({part}) Tj" for name, part in runs)
        self._code.append(f"BT 1 0 0 1 {x:.2f} {y:.2f} Tm {shown} ET")

    def setFillColor(self, aColor: Any, alpha: float | None = None) -> None:  # noqa: N802
        known = self._fills.get(aColor)
        if known is None:
            before = len(self._code)
            super().setFillColor(aColor, alpha)
            self._fills[aColor] = "\n".join(self._code[before:])
            return
        self._code.append(known)
        self._fillColorObj = aColor
