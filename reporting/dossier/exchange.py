"""The dossier in other people's formats: CHAI XML, HL7 FHIR, CycloneDX ML-BOM and RO-Crate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

from reporting.dossier.bundle import media_type
from reporting.dossier.contents import Contents, Evidence
from reporting.dossier.sections.shared import card_value
from reporting.dossier.sources import Sources

HEADLINE_KINDS = ("performance.overall", "performance.operating_points", "drift.performance", "calibration")
METRICS = {"performance": "Usefulness", "fairness": "FairnessEquity", "drift": "SafetyReliability"}


def chai_xml(sources: Sources, requirements: Iterable[Mapping[str, Any]]) -> bytes:
    """The model card in CHAI's element names: what is not known is stated as not available, never left out.

    ``requirements`` are the entries of the CHAI catalogue (``ref`` is the element's path).
    """
    root = ElementTree.Element("ModelCard", {"schemaVersion": "0.2"})
    known = _known(sources)
    for entry in requirements:
        path = entry["ref"].replace(" (optional)", "").split("/")
        if len(path) < 2 or not all(part.isidentifier() for part in path):
            continue
        node = root
        for part in path[:-1]:
            found = node.find(part)
            node = ElementTree.SubElement(node, part) if found is None else found
        told = known.get(entry["id"]) or _from_card(sources, entry)
        ElementTree.SubElement(node, path[-1]).text = told or "Not available"
    metrics = ElementTree.SubElement(root, "MeasuredResults")
    for item in sources.findings(*HEADLINE_KINDS)[:60]:
        f = item.finding
        result = ElementTree.SubElement(
            metrics, "Result", {"evidence": item.id, "state": f["state"], "n": str(f["n_cases"])}
        )
        ElementTree.SubElement(result, "Label").text = f["quantity"]
        ElementTree.SubElement(result, "Value").text = "no value" if f["value"] is None else repr(f["value"])
        if f["interval"]:
            ElementTree.SubElement(
                result, "Interval", {"level": str(f["interval"]["level"]), "method": f["interval"]["method"]}
            ).text = f"{f['interval']['low']!r} {f['interval']['high']!r}"
    ElementTree.indent(root, " ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _known(sources: Sources) -> dict[str, str]:
    i, v = sources.identity, sources.version
    return {
        "chai-basic-name": i.model,
        "chai-basic-developer": i.developer,
        "chai-release-version": i.version,
        "chai-fact-type": f"{v['task']}, {v['modality']}",
        "chai-fact-foundation": " from ".join(f"{x['model']} {x['version']} ({x['licence']})" for x in sources.lineage)
        or "",
    }


def _from_card(sources: Sources, entry: Mapping[str, Any]) -> str:
    fields = [f for f in sources.card or [] if entry["id"] in f.get("requirements", ())]
    return "\n".join(
        card_value(f) if f["state"] != "not_available" else f"Not available: {f['reason']}" for f in fields
    )


def fhir_bundle(contents: Contents, *, pdf_sha256: str) -> dict[str, Any]:
    """Device, DocumentReference and an Observation for each headline Finding (R4, type collection)."""
    i = contents.identity
    device = _urn(f"device/{i.weights_sha256}")
    entries = [
        {
            "fullUrl": device,
            "resource": {
                "resourceType": "Device",
                "id": device[9:],
                "status": "active",
                "manufacturer": i.developer,
                "deviceName": [{"name": i.model, "type": "model-name"}],
                "version": [{"value": i.version}],
                "identifier": [{"system": "urn:vigil:weights-sha256", "value": i.weights_sha256}],
            },
        },
        {
            "fullUrl": _urn(f"document/{i.number}"),
            "resource": {
                "resourceType": "DocumentReference",
                "id": _urn(f"document/{i.number}")[9:],
                "status": "current",
                "date": i.frozen_at,
                "description": f"{i.number}: {i.title}",
                "identifier": [{"system": "urn:vigil:dossier", "value": i.number}],
                "content": [{"attachment": {"contentType": "application/pdf", "url": "dossier.pdf", "title": i.title}}],
                "extension": [{"url": "urn:vigil:sha256", "valueString": pdf_sha256}],
                "context": {"related": [{"reference": device}]},
            },
        },
    ]
    for item in contents.evidence.values():
        if item.kind in HEADLINE_KINDS:
            entries.append({"fullUrl": _urn(f"finding/{item.digest}"), "resource": _observation(item, device)})
    return {"resourceType": "Bundle", "type": "collection", "timestamp": i.frozen_at, "entry": entries}


def _observation(item: Evidence, device: str) -> dict[str, Any]:
    f = item.finding
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": _urn(f"finding/{item.digest}")[9:],
        "status": "final",
        "device": {"reference": device},
        "identifier": [{"system": "urn:vigil:evidence", "value": item.id}],
        "code": {
            "coding": [{"system": "urn:vigil:quantity", "code": f["quantity"]}],
            "text": f["quantity"].replace("_", " "),
        },
        "interpretation": [{"coding": [{"system": "urn:vigil:state", "code": f["state"]}]}],
        "method": {"text": f"{f['method']['key']} {f['method']['implementation']} {f['method']['version']}"},
        "component": [{"code": {"text": "number of cases"}, "valueInteger": f["n_cases"]}],
    }
    if f["window"]:
        made["effectivePeriod"] = dict(f["window"])
    if f["value"] is None or item.suppressed:
        made["dataAbsentReason"] = {"text": item.suppressed or f["reason"]}
    else:
        made["valueQuantity"] = {
            "value": f["value"],
            "unit": f["unit"],
            "system": "http://unitsofmeasure.org",
            "code": f["unit"],
        }
    if f["interval"]:
        made["component"] += [
            {
                "code": {
                    "text": f"{side} bound of the {f['interval']['level']:g} interval ({f['interval']['method']})"
                },
                "valueQuantity": {"value": f["interval"][side], "unit": f["unit"]},
            }
            for side in ("low", "high")
        ]
    for factor, level in f["stratum"].items():
        made["component"].append({"code": {"text": f"stratum: {factor}"}, "valueString": level})
    return made


def ml_bom(contents: Contents, sources: Sources) -> dict[str, Any]:
    """CycloneDX 1.6 with the model and its ancestors as machine-learning-model components."""
    i, v = contents.identity, sources.version
    chain = sources.lineage or [
        {
            "kind": "device",
            "model": i.model,
            "version": i.version,
            "licence": v["licence"],
            "weights_sha256": i.weights_sha256,
        }
    ]
    components = [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{x['weights_sha256'][:16]}",
            "name": x["model"],
            "version": x["version"],
            "hashes": [{"alg": "SHA-256", "content": x["weights_sha256"]}],
            "licenses": [{"license": {"name": x["licence"]}}],
            "modelCard": {"modelParameters": {"task": v["task"], "inputs": [{"format": v["modality"]}]}},
        }
        for x in chain
    ]
    references = [component["bom-ref"] for component in components]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'vigil/{i.number}/{i.frozen_at}')}",
        "metadata": {
            "timestamp": i.frozen_at,
            "tools": {
                "components": [
                    {"type": "application", "name": name, "version": version}
                    for name, version in sorted(i.software.items())
                ]
            },
            "component": components[-1],
        },
        "components": components[:-1],
        "dependencies": [{"ref": ref, "dependsOn": references[:place]} for place, ref in enumerate(references)],
    }


def ro_crate(contents: Contents, files: Mapping[str, int]) -> dict[str, Any]:
    """RO-Crate 1.1: the files, the software that made them, the model they speak about. ``files``: path → size."""
    i = contents.identity
    software = [
        {"@id": f"#software-{name}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in sorted(i.software.items())
    ]
    parts = [
        {"@id": name, "@type": "File", "encodingFormat": media_type(name), "contentSize": str(size)}
        for name, size in sorted(files.items())
    ]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [
            {
                "@id": "ro-crate-metadata.json",
                "@type": "CreativeWork",
                "about": {"@id": "./"},
                "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            },
            {
                "@id": "./",
                "@type": "Dataset",
                "name": f"{i.number}: {i.title}",
                "datePublished": i.frozen_at,
                "identifier": i.number,
                "description": f"Evidence dossier of {i.model} {i.version}, {i.start[:10]} to {i.end[:10]}.",
                "license": {"@id": "#terms"},
                "hasPart": [{"@id": part["@id"]} for part in parts],
                "about": {"@id": "#model"},
                "mentions": [{"@id": "#build"}],
            },
            {
                "@id": "#terms",
                "@type": "CreativeWork",
                "name": "For regulatory learning; redistribution as the named audience allows",
            },
            {
                "@id": "#model",
                "@type": "SoftwareApplication",
                "name": i.model,
                "softwareVersion": i.version,
                "identifier": i.weights_sha256,
            },
            {
                "@id": "#build",
                "@type": "CreateAction",
                "name": "Freezing and setting of the dossier",
                "endTime": i.frozen_at,
                "instrument": [{"@id": one["@id"]} for one in software],
                "object": {"@id": "#model"},
                "result": {"@id": "dossier.pdf"},
            },
            *software,
            *parts,
        ],
    }


def _urn(name: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'vigil/{name}')}"
