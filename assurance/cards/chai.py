"""The CHAI Applied Model Card, XML schema 0.1 and 0.2.

Element names and their order are those of the Coalition for Health AI's ``mc-schema``; required elements are written
even when they are empty, so that the file stays valid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from assurance.cards.exchange import (
    NOT,
    CardFacts,
    Read,
    Written,
    answered,
    answers_from,
    as_text,
    full_measure,
    joined,
    measures,
    parted,
    plain_text,
    refuse_large,
)
from assurance.cards.fields import CardSchema
from assurance.evidence.errors import InvalidInput

NAMESPACE = "https://mc.chai.org/{}/schema.xsd"
VERSIONS = ("v0.1", "v0.2")
OPTIONAL = "?"

# Group path, then element name to our fields; "?" marks an element that may be left out.
LAYOUT: tuple[tuple[str, tuple[tuple[str, tuple[str, ...], str], ...]], ...] = (
    ("BasicInfo", (
        ("ModelName", ("identity.name",), ""), ("ModelDeveloper", ("identity.developer",), ""),
        ("DeveloperContact", ("identity.contact", "maintenance.reporting"), ""),
    )),
    ("ReleaseInfo", (
        ("ReleaseStage", ("identity.release_stage",), ""), ("ReleaseDate", ("identity.release_date",), ""),
        ("ReleaseVersion", ("identity.version",), ""), ("GlobalAvailability", ("regulatory.availability",), ""),
        ("RegulatoryApproval", ("regulatory.status",), OPTIONAL),
    )),
    ("ModelSummary", (("Summary", ("identity.summary",), ""), ("Keywords", ("identity.keywords",), ""))),
    ("UsesAndDirections", (
        ("IntendedUseAndWorkflow", ("use.intended_use", "use.workflow"), ""),
        ("PrimaryIntendedUsers", ("use.users",), ""), ("HowToUse", ("use.how_to_use",), ""),
        ("TargetedPatientPopulation", ("use.population",), ""),
        ("CautionedOutOfScopeSettings", ("use.out_of_scope",), ""),
    )),
    ("Warnings", (
        ("KnownRisksAndLimitations", ("risk.limitations", "risk.risks"), ""),
        ("KnownBiasesOrEthicalConsiderations", ("risk.biases",), ""),
        ("ClinicalRiskLevel", ("regulatory.risk_level",), ""),
    )),
    ("TrustIngredients/AISystemFacts", (
        ("OutcomesAndOutputs", ("io.outputs",), ""), ("ModelType", ("model.type",), ""),
        ("FoundationModels", ("model.foundation",), OPTIONAL), ("InputDataSource", ("io.inputs",), ""),
        ("OutputAndInputDataTypes", ("io.output_kind",), ""),
        ("DevelopmentDataCharacterization", ("training_data.datasets", "training_data.demographics"), ""),
        ("BiasMitigationApproaches", ("training_data.bias_mitigation",), ""),
        ("OngoingMaintenance", ("maintenance.validity_monitoring", "maintenance.updates"), ""),
        ("Security", ("security.security",), OPTIONAL), ("Transparency", ("explainability.approach",), OPTIONAL),
    )),
    ("TrustIngredients/TransparencyInformation", (
        ("FundingSource", ("governance.funding",), ""), ("ThirdPartyInformation", ("model.third_parties",), OPTIONAL),
        ("StakeholdersConsulted", ("governance.stakeholders",), ""),
    )),
    ("KeyMetrics/UsefulnessUsabilityEfficacy", ()),
    ("KeyMetrics/FairnessEquity", ()),
    ("KeyMetrics/SafetyReliability", ()),
    ("Resources", (
        ("EvaluationReferences", ("performance.outcomes",), OPTIONAL),
        ("ClinicalTrial", ("governance.trials",), OPTIONAL),
        ("PeerReviewedPublications", ("governance.publications",), ""),
        ("ReimbursementStatus", ("regulatory.reimbursement",), OPTIONAL),
        ("PatientConsentOrDisclosure", ("use.consent",), ""),
    )),
)  # fmt: skip
METRICS = {  # pillar of key metrics: where its results come from and go to
    "KeyMetrics/UsefulnessUsabilityEfficacy": "performance.internal",
    "KeyMetrics/FairnessEquity": "fairness.internal",
    "KeyMetrics/SafetyReliability": "performance.precision",
}
BIBLIOGRAPHY = "identity.citation"


def write_chai(answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts, *, version: str) -> Written:
    """The card as CHAI XML ``version`` ("v0.1" or "v0.2")."""
    if version not in VERSIONS:
        raise InvalidInput("unknown_version", f"CHAI version {version!r}: choose from {', '.join(VERSIONS)}")
    root = Element("AppliedModelCard", {"xmlns": NAMESPACE.format(version)})
    used: set[str] = set()
    for path, elements in LAYOUT:
        parent = _at(root, path)
        for name, keys, rule in elements:
            used |= set(keys)
            _write(parent, name, keys, rule, answers, schema, facts)
        if path in METRICS:
            used.add(METRICS[path])
            _write_metric(parent, METRICS[path], answers, schema, facts, version=version)
        if path == "Resources" and version == "v0.1":
            _write(parent, "StakeholdersConsulted", ("governance.stakeholders",), "", answers, schema, facts)
    SubElement(root, "Bibliography").text = as_text(schema.field(BIBLIOGRAPHY), answers.get(BIBLIOGRAPHY), facts)
    used.add(BIBLIOGRAPHY)
    indent(root)
    return Written(
        content=tostring(root, encoding="utf-8", xml_declaration=True) + b"\n", media_type="application/xml",
        file_name=f"chai-{version}.xml", left_out=tuple(key for key in answered(answers) if key not in used),
    )  # fmt: skip


def _at(root: Element, path: str) -> Element:
    place = root
    for name in path.split("/"):
        found = place.find(name)
        place = SubElement(place, name) if found is None else found
    return place


def _write(
    parent: Element, name: str, keys: tuple[str, ...], rule: str, answers: Mapping[str, Any], schema: CardSchema,
    facts: CardFacts,
) -> None:  # fmt: skip
    fields = [schema.field(key) for key in keys]
    text = joined(fields, answers, facts)
    if not text and rule == OPTIONAL:
        return
    element = SubElement(parent, name)
    if name == "Keywords":
        value = answers.get(keys[0], {}).get("value") or ([text] if text else [])
        for word in value:
            SubElement(element, "Keyword").text = str(word)
        return
    element.text = text


def _write_metric(
    parent: Element, key: str, answers: Mapping[str, Any], schema: CardSchema, facts: CardFacts, *, version: str
) -> None:
    answer = answers.get(key)
    status = answer["status"] if answer else ""
    rows = [full_measure(row, facts) for row in measures(answer["value"])] if answer and status == "answered" else []
    first = rows[0] if rows else {}
    SubElement(parent, "MetricGoal").text = str(first.get("goal", ""))
    if version == "v0.1":
        SubElement(parent, "Result").text = as_text(schema.field(key), answer, facts)
    else:
        results = SubElement(parent, "Results")
        if not rows:
            rows = [{"metric": "none", "reason": as_text(schema.field(key), answer, facts)}]
        for row in rows:
            result = SubElement(results, "MetricResult")
            SubElement(result, "Label").text = str(row.get("metric", key))
            parts = {"kind": "single", **{name: part for name, part in row.items() if name != "metric"}}
            SubElement(result, "ValueJson").text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    SubElement(parent, "Interpretation").text = str(first.get("interpretation", ""))
    SubElement(parent, "TestType").text = "Internal" if rows and first.get("metric") != "none" else ""
    SubElement(parent, "TestingDataDescription").text = str(first.get("dataset", ""))
    SubElement(parent, "ValidationProcessAndJustification").text = ""


def read_chai(content: bytes, schema: CardSchema) -> Read:
    """Answers of a CHAI card of either version.

    Raises
    ------
    InvalidInput
        ``too_large``, ``unsafe_xml`` (a document type or an entity: nothing is ever fetched or expanded), ``not_xml``,
        ``not_chai``.
    """
    refuse_large(content)
    try:
        root = fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise InvalidInput("unsafe_xml", "the file declares a document type or entities: a card has none") from error
    except (ParseError, ValueError) as error:
        raise InvalidInput("not_xml", f"the file is not well-formed XML: {error}") from error
    namespace, _, name = root.tag.rpartition("}")
    version = next((v for v in VERSIONS if namespace == "{" + NAMESPACE.format(v)), None)
    if name != "AppliedModelCard" or version is None:
        raise InvalidInput("not_chai", f"the root element is {root.tag}: give a CHAI AppliedModelCard 0.1 or 0.2")
    return _read_tree(root, "{" + NAMESPACE.format(version) + "}", schema)


def _read_tree(root: Any, prefix: str, schema: CardSchema) -> Read:
    texts: dict[str, str] = {}
    left: list[str] = []
    answers: dict[str, dict[str, Any]] = {}
    known: set[Any] = {root}
    for path, elements in LAYOUT:
        parent = root.find("/".join(prefix + part for part in path.split("/")))
        if parent is None:
            continue
        known |= {parent, *(_chain(root, prefix, path))}
        for name, keys, _ in elements:
            element = parent.find(prefix + name)
            if element is None:
                continue
            known |= {element, *element}
            fields = [schema.field(key) for key in keys]
            text = _keywords(element) if name == "Keywords" else element.text or ""
            texts.update(parted(fields, text) if text.strip() else {})
        if path in METRICS:
            known |= set(parent.iter())
            answer = _read_metric(parent, prefix, METRICS[path], path, schema, left)
            if answer is not None:
                answers[METRICS[path]] = answer
    bibliography = root.find(prefix + "Bibliography")
    if bibliography is not None:
        known.add(bibliography)
        if (bibliography.text or "").strip():
            texts[BIBLIOGRAPHY] = bibliography.text
    for element in root.iter():
        if element not in known and (element.text or "").strip():
            left.append(f"{element.tag.rpartition('}')[2]}: {element.text.strip()[:120]!r} has no place in our card")
    read = answers_from(texts, schema)
    return Read(answers=read.answers | answers, left_over=(*read.left_over, *left))


def _keywords(element: Any) -> str:
    words = [word.text or "" for word in element]
    if len(words) == 1 and NOT.match(words[0]):
        return words[0]
    return plain_text(words)


def _chain(root: Any, prefix: str, path: str) -> list[Any]:
    parts = path.split("/")
    places = [root.find("/".join(prefix + part for part in parts[: n + 1])) for n in range(len(parts))]
    return [place for place in places if place is not None]


def _read_metric(
    parent: Any, prefix: str, key: str, path: str, schema: CardSchema, left: list[str]
) -> dict[str, Any] | None:
    def text(name: str) -> str:
        return (parent.findtext(prefix + name) or "").strip()

    rows, other = [], ""
    for result in parent.iter(prefix + "MetricResult"):
        row, words = _measure_of(result.findtext(prefix + "Label") or "", result.findtext(prefix + "ValueJson") or "")
        other = other or words
        if row:
            rows.append(row)
    if text("Result"):
        other = text("Result")
    read = answers_from({key: other}, schema) if other and not rows else Read({}, ())
    left += [f"{path}: {line}" for line in read.left_over]
    answer = read.answers.get(key)
    if answer is None and rows:
        answer = {"status": "answered", "value": rows, "reason": "", "finding": None}
    parts = {
        "goal": text("MetricGoal"),
        "interpretation": text("Interpretation"),
        "dataset": text("TestingDataDescription"),
    }
    target = answer["value"][0] if answer and isinstance(answer.get("value"), list) and answer["value"] else None
    for name, words in parts.items():
        if words and target is not None:
            target.setdefault(name, words)
        elif words:
            left.append(f"{path}/{name}: {words[:120]!r} has no result that it belongs to")
    for name in ("TestType", "ValidationProcessAndJustification"):
        if text(name) and text(name) != "Internal":
            left.append(f"{path}/{name}: {text(name)[:120]!r} has no place in our card")
    return answer


def _measure_of(label: str, value_json: str) -> tuple[dict[str, Any] | None, str]:
    """A measure from a labelled JSON value, or the words that stand in its place."""
    from assurance.cards.answers import MEASURE_PARTS

    try:
        parts = json.loads(value_json)
    except ValueError:
        return None, f"{label}: {value_json}".strip(": ")
    if not isinstance(parts, dict):
        parts = {"value": parts}
    if label == "none":
        return None, str(parts.get("reason", ""))
    row = {name: part for name, part in parts.items() if name in MEASURE_PARTS}
    strange = {name: part for name, part in parts.items() if name not in MEASURE_PARTS and name != "kind"}
    if strange:
        row["interpretation"] = f"{row.get('interpretation', '')} {json.dumps(strange, sort_keys=True)}".strip()
    if "value" in row and (isinstance(row["value"], bool) or not isinstance(row["value"], int | float)):
        row["interpretation"] = f"{row.get('interpretation', '')} value {row.pop('value')}".strip()
    return {"metric": label, **row}, ""
