"""What makes the file archivable and machine-readable: metadata, colour profile, the twin as its attachment
(PDF/A-3)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from reportlab.pdfbase import pdfdoc

from reporting.dossier.contents import Contents

TWIN = "dossier.json"
CHAI = "model-card.xml"
PROFILE = Path(__file__).resolve().parent.parent / "fonts" / "srgb.icc"
SOFTWARE_ID = "Vigil"


def settle(canvas: Any, contents: Contents, content: bytes, content_sha256: str, chai_xml: bytes) -> None:
    document, identity = canvas._doc, contents.identity
    attached = [
        _attach(
            document,
            TWIN,
            content,
            "application/json",
            "Data",
            "Machine-readable twin of this dossier",
            identity.frozen_at,
        )
    ]
    if chai_xml:
        attached.append(
            _attach(
                document, CHAI, chai_xml, "application/xml", "Supplement", "Model card (CHAI XML)", identity.frozen_at
            )
        )
    names = pdfdoc.PDFArray([part for name, spec in attached for part in (pdfdoc.PDFString(name), spec)])
    document.Catalog.Names = pdfdoc.PDFDictionary({"EmbeddedFiles": pdfdoc.PDFDictionary({"Names": names})})
    document.Catalog.AF = pdfdoc.PDFArray([spec for _, spec in attached])
    document.Catalog.OutputIntents = pdfdoc.PDFArray([_output_intent(document)])
    document.Catalog.ViewerPreferences = pdfdoc.PDFDictionary({"DisplayDocTitle": "true"})
    metadata = pdfdoc.PDFStream(
        dictionary=pdfdoc.PDFDictionary({"Type": pdfdoc.PDFName("Metadata"), "Subtype": pdfdoc.PDFName("XML")}),
        content=_xmp(document, contents, content_sha256, chai_xml),
    )
    document.Reference(metadata, "VigilMetadata")
    document.Catalog.Metadata = pdfdoc.PDFObjectReference("VigilMetadata")
    document.info.__class__ = _Info
    document.info.extra = {"chaiMcSoftwareId": f"{SOFTWARE_ID} {identity.software.get('vigil', '')}".strip()}
    if chai_xml:
        document.info.extra["chaiMcXml"] = chai_xml.decode()


class _Info(pdfdoc.PDFInfo):
    """The information dictionary with the two keys that CHAI names, and without what PDF/A-3 would contradict."""

    extra: dict[str, str] = {}

    def format(self, document: Any) -> bytes:
        entries = {
            "Title": pdfdoc.PDFString(self.title),
            "Author": pdfdoc.PDFString(self.author),
            "Subject": pdfdoc.PDFString(self.subject),
            "Keywords": pdfdoc.PDFString(self.keywords),
            "Creator": pdfdoc.PDFString(self.creator),
            "Producer": pdfdoc.PDFString(self.producer),
            "CreationDate": pdfdoc.PDFDate(ts=document._timeStamp),
            "ModDate": pdfdoc.PDFDate(ts=document._timeStamp),
        }
        entries.update({name: pdfdoc.PDFString(value) for name, value in self.extra.items()})
        return bytes(pdfdoc.PDFDictionary(entries).format(document))


def _attach(
    document: Any, name: str, content: bytes, media_type: str, relation: str, words: str, moment: str
) -> tuple[str, Any]:
    stream = pdfdoc.PDFStream(
        dictionary=pdfdoc.PDFDictionary(
            {
                "Type": pdfdoc.PDFName("EmbeddedFile"),
                "Subtype": "/" + media_type.replace("/", "#2F"),
                "Params": pdfdoc.PDFDictionary(
                    {
                        "Size": len(content),
                        "ModDate": pdfdoc.PDFDate(ts=document._timeStamp),
                        "CheckSum": f"<{hashlib.md5(content, usedforsecurity=False).hexdigest()}>",
                    }
                ),
            }
        ),
        content=content,
        filters=[pdfdoc.PDFZCompress],
    )
    document.Reference(stream, f"File.{name}")
    spec = pdfdoc.PDFDictionary(
        {
            "Type": pdfdoc.PDFName("Filespec"),
            "F": pdfdoc.PDFString(name),
            "UF": pdfdoc.PDFString(name),
            "Desc": pdfdoc.PDFString(words),
            "AFRelationship": pdfdoc.PDFName(relation),
            "EF": pdfdoc.PDFDictionary(
                {"F": pdfdoc.PDFObjectReference(f"File.{name}"), "UF": pdfdoc.PDFObjectReference(f"File.{name}")}
            ),
        }
    )
    document.Reference(spec, f"Spec.{name}")
    return name, pdfdoc.PDFObjectReference(f"Spec.{name}")


@lru_cache(maxsize=1)
def _profile() -> bytes:
    return PROFILE.read_bytes()


def _output_intent(document: Any) -> Any:
    profile = pdfdoc.PDFStream(
        dictionary=pdfdoc.PDFDictionary({"N": 3}), content=_profile(), filters=[pdfdoc.PDFZCompress]
    )
    document.Reference(profile, "VigilProfile")
    return pdfdoc.PDFDictionary(
        {
            "Type": pdfdoc.PDFName("OutputIntent"),
            "S": pdfdoc.PDFName("GTS_PDFA1"),
            "OutputConditionIdentifier": pdfdoc.PDFString("sRGB IEC61966-2.1"),
            "Info": pdfdoc.PDFString("sRGB IEC61966-2.1"),
            "DestOutputProfile": pdfdoc.PDFObjectReference("VigilProfile"),
        }
    )


def _xmp(document: Any, contents: Contents, content_sha256: str, chai_xml: bytes) -> bytes:
    identity, info = contents.identity, document.info
    moment = identity.frozen_at[:19] + "Z"
    chai = f"<chai:chaiMcXml>{escape(chai_xml.decode())}</chai:chaiMcXml>" if chai_xml else ""
    return f"""<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:chai="urn:chai:model-card" xmlns:vigil="urn:vigil:dossier">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(info.title)}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{escape(info.author)}</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(info.subject)}</rdf:li></rdf:Alt></dc:description>
<dc:language><rdf:Bag><rdf:li>{identity.language}</rdf:li></rdf:Bag></dc:language><dc:format>application/pdf</dc:format>
<xmp:CreateDate>{moment}</xmp:CreateDate><xmp:ModifyDate>{moment}</xmp:ModifyDate>
<xmp:MetadataDate>{moment}</xmp:MetadataDate>
<xmp:CreatorTool>{escape(info.creator)}</xmp:CreatorTool><pdf:Producer>{escape(info.producer)}</pdf:Producer>
<pdf:Keywords>{escape(info.keywords)}</pdf:Keywords>
<chai:chaiMcSoftwareId>{SOFTWARE_ID} {escape(identity.software.get("vigil", ""))}</chai:chaiMcSoftwareId>{chai}
<vigil:number>{escape(identity.number)}</vigil:number><vigil:contentSha256>{content_sha256}</vigil:contentSha256>
</rdf:Description>
{_SCHEMAS}
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>""".encode()


def _schema(uri: str, prefix: str, words: str, names: tuple[str, ...]) -> str:
    properties = "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text'
        f"</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>{name}"
        "</pdfaProperty:description></rdf:li>"
        for name in names
    )
    return (
        f'<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>{words}</pdfaSchema:schema><pdfaSchema:namespaceURI>{uri}'
        f"</pdfaSchema:namespaceURI><pdfaSchema:prefix>{prefix}</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq>{properties}"
        "</rdf:Seq></pdfaSchema:property></rdf:li>"
    )


_SCHEMAS = (  # PDF/A asks that every property outside the known schemas is described
    '<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" '
    'xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">'
    "<pdfaExtension:schemas><rdf:Bag>"
    + _schema("urn:chai:model-card", "chai", "CHAI model card", ("chaiMcXml", "chaiMcSoftwareId"))
    + _schema("urn:vigil:dossier", "vigil", "Vigil dossier", ("number", "contentSha256"))
    + "</rdf:Bag></pdfaExtension:schemas></rdf:Description>"
)
