"""Structured reports as measurements: TID 1500 as the standard has it, and the looser trees that vendors send.

Read tolerantly: what is missing is told as a defect and the rest is used. References between items may form cycles; an
item is visited once. Text, names and dates in a report are never read, only counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from monitoring.intake.dicom.header import plain
from monitoring.intake.dicom.reading import Reading

DEEPEST = 64
MOST_ITEMS = 50_000
TEMPLATES = {"1500": "measurement report"}
# Concepts that are the model's score; a percentage is brought to 0..1.
SCORE_CODES = {("111047", "DCM"), ("111048", "DCM"), ("113011", "DCM")}
SCORE_WORDS = re.compile(
    r"^((.* )?(probability|likelihood)|(ai |model |abnormality |suspicion |malignancy |finding |detection )?"
    r"(score|confidence))( of .*| score)?$"
)
UNITS = {  # UCUM code -> how it ends a column's name and what it is multiplied with
    "mm": ("mm", 1.0), "cm": ("mm", 10.0), "um": ("mm", 0.001), "m": ("mm", 1000.0), "mm2": ("mm2", 1.0),
    "cm2": ("mm2", 100.0), "mm3": ("ml", 0.001), "cm3": ("ml", 1.0), "ml": ("ml", 1.0), "mL": ("ml", 1.0),
    "l": ("ml", 1000.0), "dm3": ("ml", 1000.0), "[hnsf'U]": ("hu", 1.0), "deg": ("deg", 1.0), "s": ("s", 1.0),
    "ms": ("s", 0.001), "%": ("pct", 1.0), "1": ("", 1.0), "{ratio}": ("", 1.0), "{0:1}": ("", 1.0), "": ("", 1.0),
}  # fmt: skip
ALGORITHM_VERSION = ("111003", "DCM")
CONTEXT = {"HAS OBS CONTEXT", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"}
FINDING_CODES = {("121071", "DCM"), ("363698007", "SCT"), ("G-C0E3", "SRT"), ("276214006", "SCT"), ("F-01710", "SRT")}
KNOWN_TYPES = {
    "CONTAINER", "NUM", "CODE", "TEXT", "PNAME", "DATE", "TIME", "DATETIME", "UIDREF", "IMAGE", "COMPOSITE", "WAVEFORM",
    "SCOORD", "SCOORD3D", "TCOORD", "TABLE",
}  # fmt: skip
PERSONAL = {"TEXT", "PNAME", "DATE", "TIME", "DATETIME"}


@dataclass(frozen=True, slots=True)
class Item:
    dataset: Dataset
    path: str
    group: str  # path of the nearest container


def read_report(dataset: Dataset, reading: Reading) -> None:
    """Fill ``reading.values`` with ``score``, numeric measurements and coded findings; tell every defect."""
    template = _template(dataset)
    if template not in TEMPLATES:
        told = f"template {template}" if template else "no template"
        reading.odd("other_template", "ContentTemplateSequence", f"{told}, not TID 1500: read as it stands")
    if dataset.get("CompletionFlag", "COMPLETE") == "PARTIAL":
        reading.odd("partial", "CompletionFlag", "the report calls itself partial")
    found: dict[str, list[float]] = {}
    findings = 0
    for item in _items(dataset, reading):
        kind = plain(item.dataset, "ValueType")
        if kind == "NUM":
            _measurement(item, reading, found)
        elif kind == "CODE":
            findings += _coded(item, reading)
        elif kind == "TEXT" and _concept(item.dataset)[:2] == ALGORITHM_VERSION:
            reading.values["model_version"] = plain(item.dataset, "TextValue")[:60]
        elif kind in PERSONAL:
            reading.remove("text, names and dates in reports")
    for name, values in found.items():
        reading.values[name] = max(values)  # the largest lesion stands for the case
        if len(values) > 1:
            reading.values[f"n_{name}"] = len(values)
    if findings:
        reading.values["n_findings"] = findings
    if not found and not findings:
        reading.odd("no_measurement", "ContentSequence", "the report holds no measurement and no coded finding")


def _template(dataset: Dataset) -> str:
    sequence = dataset.get("ContentTemplateSequence")
    try:
        return plain(sequence[0], "TemplateIdentifier") if sequence else ""
    except (TypeError, IndexError):
        return ""


def _items(root: Dataset, reading: Reading) -> Iterator[Item]:
    """Every content item once, parents before children, however deep or crossed the tree is."""
    stack = [(root, "1", "1", 0)]
    count, too_deep = 0, False
    while stack:
        dataset, path, group, depth = stack.pop()
        count += 1
        if count > MOST_ITEMS:
            reading.odd("too_many_items", path, f"more than {MOST_ITEMS} items: the rest is not read")
            return
        if "ReferencedContentItemIdentifier" in dataset:
            _reference(root, dataset, path, reading)
            continue
        kind = plain(dataset, "ValueType")
        if kind not in KNOWN_TYPES:
            reading.odd("no_value_type", path, f"value type {kind[:20]!r} is not one of the standard's")
        if path != "1" and plain(dataset, "RelationshipType") not in CONTEXT:
            yield Item(dataset, path, group)
        elif path != "1":
            if kind == "TEXT" and _concept(dataset)[:2] == ALGORITHM_VERSION:
                yield Item(dataset, path, group)
            elif kind in PERSONAL:
                reading.remove("text, names and dates in reports")
        children = dataset.get("ContentSequence") or []
        if depth >= DEEPEST:
            if children and not too_deep:
                reading.odd("too_deep", path, f"the tree is deeper than {DEEPEST} levels: the rest is not read")
                too_deep = True
            continue
        inner = path if kind == "CONTAINER" else group
        for number, child in reversed(list(enumerate(children, start=1))):
            stack.append((child, f"{path}.{number}", inner, depth + 1))


def _reference(root: Dataset, dataset: Dataset, path: str, reading: Reading) -> None:
    """A reference adds no measurement of its own; it must point at an item that is there and not at its own parent."""
    try:
        steps = [int(step) for step in _several(dataset["ReferencedContentItemIdentifier"].value)]
    except (TypeError, ValueError):
        reading.odd("bad_reference", path, "the referenced item identifier is not a list of numbers")
        return
    target = ".".join(map(str, steps))
    if path == target or path.startswith(f"{target}."):
        reading.odd("cycle", path, f"the item refers to its own ancestor {target}")
        return
    place = root
    for step in steps[1:]:
        children = place.get("ContentSequence") or []
        if not 1 <= step <= len(children):
            reading.odd("dangling_reference", path, f"the referenced item {target} is not there")
            return
        place = children[step - 1]


def _several(value: Any) -> list[Any]:
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]


def _measurement(item: Item, reading: Reading, found: dict[str, list[float]]) -> None:
    code, scheme, meaning = _concept(item.dataset)
    if not meaning:
        reading.odd("no_concept", item.path, "a measurement without a concept name: it cannot be a column")
        return
    sequence = item.dataset.get("MeasuredValueSequence")
    if not sequence:
        qualifier = item.dataset.get("NumericValueQualifierCodeSequence")
        told = plain(qualifier[0], "CodeMeaning") if qualifier else "no measured value"
        reading.odd("no_value", item.path, f"{meaning}: {told}")
        return
    text = plain(sequence[0], "NumericValue")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        reading.odd("bad_number", item.path, f"{meaning}: {text[:20]!r} is not a finite number")
        return
    units = sequence[0].get("MeasurementUnitsCodeSequence")
    unit = plain(units[0], "CodeValue") if units else ""
    if not units:
        reading.odd("no_unit", item.path, f"{meaning}: no unit is given, taken as a plain number")
    if (code, scheme) in SCORE_CODES or SCORE_WORDS.fullmatch(meaning.lower()):
        found.setdefault("score", []).append(value / 100 if unit == "%" else value)
        return
    if unit not in UNITS:
        reading.odd("unknown_unit", item.path, f"{meaning}: unit {unit[:20]!r} is kept in the name")
    ending, factor = UNITS.get(unit, (slug(unit), 1.0))
    name = slug(meaning)
    if ending and not name.endswith(f"_{ending}"):
        name = f"{name}_{ending}"
    found.setdefault(name, []).append(value * factor)


def _coded(item: Item, reading: Reading) -> int:
    """A coded answer becomes a category; a finding itself is counted, its code being a category as well."""
    code, scheme, meaning = _concept(item.dataset)
    sequence = item.dataset.get("ConceptCodeSequence")
    answer = plain(sequence[0], "CodeMeaning") if sequence else ""
    if not meaning or not answer:
        reading.odd("no_code", item.path, f"{meaning or 'a coded item'} without a code")
        return 0
    name = f"sr_{slug(meaning)}"
    before = reading.values.get(name)
    if before is not None and before != answer[:64]:
        reading.values[name] = "several"
    else:
        reading.values[name] = answer[:64]
    return 1 if (code, scheme) in FINDING_CODES and meaning.lower() == "finding" else 0


def _concept(dataset: Dataset) -> tuple[str, str, str]:
    sequence = dataset.get("ConceptNameCodeSequence")
    try:
        one = sequence[0] if sequence else None
    except (TypeError, IndexError):
        one = None
    if one is None:
        return "", "", ""
    return plain(one, "CodeValue"), plain(one, "CodingSchemeDesignator"), plain(one, "CodeMeaning")[:100]


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:80] or "unnamed"
