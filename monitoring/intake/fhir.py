"""HL7 FHIR R4 bundles as rows: Observations and DiagnosticReports of a study become a prediction, or a reader's label.

Which of the two a resource is, its maker says: a Device (in ``device``, ``performer`` or a Provenance agent) makes a
prediction, a person or organisation a label. What is missing or odd is refused resource by resource.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from assurance.evidence.errors import InvalidInput
from monitoring.intake.columns import Refused
from monitoring.intake.dicom.structured_report import SCORE_WORDS, UNITS, slug

MOST_ENTRIES = 50_000
FRAME = {"case_id", "study_time", "label_time", "patient_id", "model_version"}
PEOPLE = {"Practitioner", "PractitionerRole", "Organization", "CareTeam"}
UNUSABLE = {"entered-in-error", "cancelled", "registered"}
POSITIVE = {"present", "positive", "pos", "detected", "yes", "10828004", "52101004", "373066001", "1"}
NEGATIVE = {"absent", "negative", "neg", "not detected", "no", "260385009", "2667000", "373067005", "0"}
LABEL_MEASURES = ("dice", "nsd", "iou", "hd95_mm", "assd_mm", "tre_mm")
READ = {"Observation", "DiagnosticReport", "ImagingStudy", "Provenance", "Patient", "Device", "Bundle"} | PEOPLE


@dataclass
class BundleRows:
    """``predictions`` and ``labels`` as rows by case; ``places`` says in which entry each case came first."""

    predictions: dict[str, dict[str, Any]] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    ignored: int = 0

    def remove(self, what: str) -> None:
        self.removed[what] = self.removed.get(what, 0) + 1


def read_bundle(content: bytes) -> BundleRows:
    """Read one Bundle (or one single resource).

    Raises
    ------
    InvalidInput
        ``unreadable`` for what is no JSON, ``not_fhir`` for JSON that is no resource, ``too_many_rows``.
    """
    try:
        resource = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidInput("unreadable", f"the delivery is not JSON: {error}") from error
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise InvalidInput("not_fhir", "the delivery is no FHIR resource: resourceType is not there")
    entries = resource.get("entry", []) if resource["resourceType"] == "Bundle" else [{"resource": resource}]
    if not isinstance(entries, list):
        raise InvalidInput("not_fhir", "entry of the Bundle is not a list")
    if len(entries) > MOST_ENTRIES:
        raise InvalidInput("too_many_rows", f"the bundle has {len(entries)} entries: at most {MOST_ENTRIES}")
    return _Reader(entries).rows()


class _Reader:
    def __init__(self, entries: list[Any]) -> None:
        self.found = BundleRows()
        self.resources: list[tuple[int, dict[str, Any]]] = []
        self.by_reference: dict[str, dict[str, Any]] = {}
        self.agents: dict[str, set[str]] = {}
        for number, entry in enumerate(entries, start=1):
            resource = _dict(entry).get("resource")
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                self._refuse(number, "", "not_a_resource", "the entry holds no resource")
                continue
            self.resources.append((number, resource))
            kind = resource["resourceType"]
            for name in (_text(_dict(entry).get("fullUrl")), f"{kind}/{_text(resource.get('id'))}"):
                if name and not name.endswith("/"):
                    self.by_reference[name] = resource
            if kind not in READ:
                self.found.ignored += 1

    def rows(self) -> BundleRows:
        for _, resource in self.resources:
            if resource["resourceType"] == "Provenance":
                kinds = {self._kind(agent.get("who")) for agent in _dicts(resource.get("agent"))}
                for target in _dicts(resource.get("target")):
                    self.agents.setdefault(_text(target.get("reference")), set()).update(kinds)
        for number, resource in self.resources:
            if resource["resourceType"] == "Observation":
                self._observation(number, resource)
            elif resource["resourceType"] == "DiagnosticReport":
                self._report(number, resource)
            elif resource["resourceType"] == "Patient":
                self.found.remove("Patient resources")
        for rows in (self.found.predictions, self.found.labels):
            for case in [case for case, row in rows.items() if not set(row) - FRAME]:
                del rows[case]  # every value of it was refused
        return self.found

    def _observation(self, number: int, resource: dict[str, Any]) -> None:
        self._count_text(resource)
        status = _text(resource.get("status"))
        if status in UNUSABLE:
            self._refuse(
                number, "status", "unusable_status", f"status {status!r}: the observation is not to be used", status
            )
            return
        row = self._row(number, resource)
        if row is None:
            return
        label = self._is_label(resource)
        good, before = 0, len(self.found.refused)
        for part in (resource, *_dicts(resource.get("component"))):
            values = list(self._values(number, part, label=label))
            good += len(values)
            for name, value in values:
                row.setdefault(name, value)
        if not good and len(self.found.refused) == before:
            self._refuse(number, "value", "no_value", "the observation holds no value that can be a column")

    def _report(self, number: int, resource: dict[str, Any]) -> None:
        """A report's coded conclusion; its Observations stand in the bundle as resources of their own."""
        self._count_text(resource)
        if resource.get("conclusion"):
            self.found.remove("conclusions in words")
        codes = _dicts(resource.get("conclusionCode"))
        if not codes:
            return
        row = self._row(number, resource)
        if row is None:
            return
        answer = _coded(codes[0])
        if self._is_label(resource):
            truth = _truth(answer)
            if truth is None:
                told = answer[0] or answer[1]
                self._refuse(number, "conclusionCode", "not_binary", f"{told!r} is neither present nor absent", told)
                return
            row.setdefault("label", truth)
        elif answer[1]:
            row.setdefault("decision", answer[1][:60])

    def _values(self, number: int, part: dict[str, Any], *, label: bool) -> Iterator[tuple[str, Any]]:
        code = _dict(part.get("code"))
        _, meaning = _coded(code)
        meaning = meaning or _text(code.get("text"))
        name = slug(meaning) if meaning else ""
        if "valueQuantity" in part or "valueInteger" in part or "valueBoolean" in part:
            yield from self._number(number, part, name, label=label)
        elif "valueCodeableConcept" in part:
            answer = _coded(_dict(part["valueCodeableConcept"]))
            if label:
                truth = _truth(answer)
                if truth is not None:
                    yield "label", truth
                else:
                    told = answer[1] or answer[0]
                    self._refuse(number, "value", "not_binary", f"{told!r} is neither present nor absent", told)
            elif name and (answer[1] or answer[0]):
                yield f"fhir_{name}", (answer[1] or answer[0])[:64]
        elif "valueString" in part:
            self.found.remove("values in words")
        reason = _coded(_dict(part.get("dataAbsentReason")))[1]
        if reason:
            self._refuse(number, name or "value", "absent", f"{name or 'the value'} is absent: {reason}")

    def _number(self, number: int, part: dict[str, Any], name: str, *, label: bool) -> Iterator[tuple[str, float]]:
        quantity = _dict(part.get("valueQuantity"))
        value = quantity.get("value", part.get("valueInteger", part.get("valueBoolean")))
        if not isinstance(value, int | float) or not math.isfinite(value):
            self._refuse(number, name, "not_numeric", f"value {str(value)[:40]!r} is not a finite number", str(value))
            return
        if not name:
            self._refuse(number, "code", "no_code", "the observation has no code: it cannot be a column")
            return
        unit = _text(quantity.get("code")) or _text(quantity.get("unit"))
        ending, factor = UNITS.get(unit, (slug(unit), 1.0))
        if label:
            measure = name if name in LABEL_MEASURES else f"{name}_{ending}"
            yield (measure if measure in LABEL_MEASURES else "label"), float(value) * factor
        elif SCORE_WORDS.fullmatch(name.replace("_", " ")):
            yield "score", value / 100 if unit == "%" else float(value)
        else:
            yield (f"{name}_{ending}" if ending and not name.endswith(f"_{ending}") else name), value * factor

    def _row(self, number: int, resource: dict[str, Any]) -> dict[str, Any] | None:
        """The row of the resource's study, made on its first use."""
        case = self._study(resource)
        if not case:
            self._refuse(
                number, "derivedFrom", "no_study",
                "no ImagingStudy is named (derivedFrom, focus, imagingStudy or basedOn): the case is not known",
            )  # fmt: skip
            return None
        self.found.places.setdefault(case, number)
        if self._is_label(resource):
            return self.found.labels.setdefault(
                case, {"case_id": case, "label_time": _text(resource.get("effectiveDateTime")) or None}
            )
        row = self.found.predictions.setdefault(case, {"case_id": case, "study_time": None})
        study = self._target(resource, "ImagingStudy")
        row["study_time"] = (
            row["study_time"] or _text(_dict(study).get("started")) or _text(resource.get("effectiveDateTime"))
            or _text(_dict(resource.get("effectivePeriod")).get("start")) or None
        )  # fmt: skip
        patient = self._patient(resource)
        if patient:
            row.setdefault("patient_id", patient)
        version = self._version(resource)
        if version:
            row.setdefault("model_version", version)
        return row

    def _study(self, resource: dict[str, Any]) -> str:
        """The Study Instance UID where one is given, else the study's identifier or id."""
        study = self._target(resource, "ImagingStudy")
        for one in [
            *_dicts(_dict(study).get("identifier")),
            *(_dict(ref.get("identifier")) for ref in _studies(resource)),
        ]:
            value = _text(one.get("value")).removeprefix("urn:oid:")
            if value:
                return value
        for reference in _studies(resource):
            text = _text(reference.get("reference"))
            if "ImagingStudy/" in text:
                return text.rpartition("ImagingStudy/")[2].partition("/")[0]
        return _text(_dict(study).get("id"))

    def _target(self, resource: dict[str, Any], kind: str) -> dict[str, Any] | None:
        for reference in _studies(resource):
            found = self.by_reference.get(_text(reference.get("reference")))
            if found is not None and found["resourceType"] == kind:
                return found
        return None

    def _patient(self, resource: dict[str, Any]) -> str:
        subject = _dict(resource.get("subject"))
        patient = self.by_reference.get(_text(subject.get("reference")), {})
        for one in [_dict(subject.get("identifier")), *_dicts(patient.get("identifier"))]:
            if _text(one.get("value")):
                return _text(one.get("value"))
        return _text(subject.get("reference")).rpartition("/")[2]

    def _version(self, resource: dict[str, Any]) -> str:
        device = self.by_reference.get(_text(_dict(resource.get("device")).get("reference")), {})
        versions = _dicts(device.get("version"))
        return _text(versions[0].get("value")) if versions else ""

    def _is_label(self, resource: dict[str, Any]) -> bool:
        if resource.get("device"):
            return False
        makers = {
            self._kind(one) for one in _dicts(resource.get("performer")) + _dicts(resource.get("resultsInterpreter"))
        }
        makers |= self.agents.get(f"{resource['resourceType']}/{_text(resource.get('id'))}", set())
        return "Device" not in makers and bool(makers & PEOPLE)

    def _kind(self, reference: Any) -> str:
        text = _text(_dict(reference).get("reference"))
        found = self.by_reference.get(text)
        if found is not None:
            return str(found["resourceType"])
        return _text(_dict(reference).get("type")) or (re.match(r"(?:.*/)?([A-Za-z]+)/[^/]+$", text) or ["", ""])[1]

    def _count_text(self, resource: dict[str, Any]) -> None:
        if resource.get("text"):
            self.found.remove("narratives")
        if resource.get("note"):
            self.found.remove("notes")

    def _refuse(self, number: int, column: str, code: str, reason: str, value: str = "") -> None:
        self.found.refused.append(Refused(number, column[:120], code, reason[:300], value[:80]))


def _studies(resource: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for name in ("derivedFrom", "focus", "imagingStudy", "basedOn") for one in _dicts(resource.get(name))]


def _truth(answer: tuple[str, str]) -> int | None:
    words = {part.strip().lower() for part in answer}
    if words & POSITIVE:
        return 1
    return 0 if words & NEGATIVE else None


def _coded(concept: dict[str, Any]) -> tuple[str, str]:
    codings = _dicts(concept.get("coding"))
    first = codings[0] if codings else {}
    return _text(first.get("code")), _text(first.get("display")) or (_text(concept.get("text")) if not codings else "")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""
