"""A CycloneDX 1.6 bill of materials for one version: the model, what it was made from, and their hashes."""

import json
import uuid
from typing import Any

from assurance.models import ModelVersion
from assurance.selectors.cards import latest_revision

NAMESPACE = uuid.UUID("6a4f0a1e-6f1b-5c39-9d0e-6b5b6a2f9c11")
TASKS = {
    "classification": "image-classification", "segmentation": "image-segmentation",
    "registration": "image-registration", "localization": "object-detection", "generation": "image-generation",
}  # fmt: skip
DIGESTS = ("preprocessing_sha256", "thresholds_sha256")


def bill_of_materials(version: ModelVersion) -> bytes:
    """The bill as JSON. The same version gives the same bytes: its serial number is made from its hashes."""
    lineage = [version]
    while lineage[-1].base is not None:
        lineage.append(lineage[-1].base)
    serial = uuid.uuid5(NAMESPACE, f"{version.pk}:{version.weights_sha256}:{version.thresholds_sha256}")
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": version.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": _component(version),
        },
        "components": [_component(base) for base in lineage[1:]],
        "dependencies": [{"ref": _ref(one), "dependsOn": [_ref(one.base)] if one.base else []} for one in lineage],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _ref(version: ModelVersion) -> str:
    return f"{version.model.slug}@{version.version}"


def _component(version: ModelVersion) -> dict[str, Any]:
    model = version.model
    properties = [{"name": f"vigil:{name}", "value": getattr(version, name)} for name in DIGESTS]
    if version.container_digest:
        properties.append({"name": "vigil:container_digest", "value": version.container_digest})
    if version.known_contamination:
        properties.append({"name": "vigil:known_contamination", "value": version.known_contamination})
    properties += [{"name": "vigil:prompt_type", "value": str(kind)} for kind in version.prompt_types]
    parameters: dict[str, Any] = {
        "task": TASKS[model.task],
        "datasets": [{"type": "dataset", "name": _source_name(source)} for source in version.pretraining_sources],
        "inputs": [{"format": _format(version.input_contract, model.modality)}],
        "outputs": [{"format": _format(version.output_contract, model.get_task_display())}],
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": _ref(version),
        "name": model.name,
        "version": version.version,
        "description": model.description or f"{model.get_kind_display()}, {model.get_task_display().lower()}",
        "supplier": {"name": model.organisation.name},
        "hashes": [{"alg": "SHA-256", "content": version.weights_sha256}],
        "licenses": [{"license": {"name": version.licence}}],
        "modelCard": {"modelParameters": parameters, **_considerations(version)},
        "properties": properties,
    }


def _source_name(source: Any) -> str:
    return str(source.get("name", source)) if isinstance(source, dict) else str(source)


def _format(contract: dict[str, Any], default: str) -> str:
    return json.dumps(contract, sort_keys=True, ensure_ascii=False) if contract else default


def _considerations(version: ModelVersion) -> dict[str, Any]:
    """What the newest card says of users, uses and limits, so that the bill and the card cannot disagree."""
    revision = latest_revision(version)
    if revision is None:
        return {}
    parts = {"users": "use.users", "useCases": "use.intended_use", "technicalLimitations": "risk.limitations"}
    found = {}
    for part, key in parts.items():
        answer = revision.answers.get(key, {})
        if answer.get("status") == "answered":
            value = answer["value"]
            found[part] = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return {"considerations": found} if found else {}
