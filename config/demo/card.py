"""The model card of Brain Outline 1.0: what is known is answered, what is not says why, numbers cite Findings."""

from typing import Any

from assurance.models import FindingRecord, ModelVersion
from config.demo.brain_slices import MARGIN_MM


def _said(value: Any) -> dict[str, Any]:
    return {"status": "answered", "value": value, "reason": "", "finding": None}


def _missing(reason: str) -> dict[str, Any]:
    return {"status": "not_available", "value": None, "reason": reason, "finding": None}


def _from(record: FindingRecord | None) -> dict[str, Any]:
    if record is None:
        return _missing("The reference set has no case with a reader's mask yet.")
    return {"status": "answered", "value": None, "reason": "", "finding": record.digest}


def brain_card(version: ModelVersion, *, dice: FindingRecord | None) -> dict[str, Any]:
    """Answers by field. ``dice`` is the Finding of mean Dice on the reference set."""
    return {
        "identity.name": _said(version.model.name),
        "identity.version": _said(version.version),
        "identity.model_hash": _said(version.weights_sha256),
        "identity.developer": _said({"name": "Example Imaging Devices", "role": "developer"}),
        "identity.contact": _said({"name": "Quality desk", "e-mail": "quality@example-imaging.example"}),
        "identity.release_stage": _said("sandbox"),
        "identity.summary": _said(version.model.description),
        "identity.licence": _said(version.licence),
        "identity.release_date": _missing("Not released: in a sandbox."),
        "regulatory.status": _said([{"region": "EU", "status": "not placed on the market; sandbox participant"}]),
        "regulatory.risk_level": _said("moderate"),
        "use.intended_use": _said(
            "Outlines the brain on axial T1-weighted MR slices inside a box that a technologist draws; a person checks "
            "each outline before it is used."
        ),
        "use.benefit": _said("Saves the manual outline; measured benefit is a question of the sandbox."),
        "use.population": _said("Adults with a T1-weighted head scan; no resection cavities, no paediatric scans."),
        "use.users": _said(["Radiographer", "Medical physicist"]),
        "use.setting": _said("Radiology department, after the scan, apart from the clinical decision path."),
        "use.workflow": _said("The technologist draws a box; a person keeps, corrects or discards the outline."),
        "use.decision_role": _said("augment"),
        "use.out_of_scope": _said(["Children", "Contrast-enhanced scans", "Volume measurement without review"]),
        "io.inputs": _said([{"name": "slice", "content": "axial T1 magnitude image, 1 mm pixels", "unit": "arbitrary"},
                            {"name": "box", "content": f"tight box, margin {MARGIN_MM:g} mm", "unit": "pixel"}]),
        "io.outputs": _said([{"name": "mask", "content": "brain outline", "unit": "pixel"}]),
        "io.output_kind": _said("segmentation"),
        "model.type": _said("Promptable segmentation: TinyViT encoder with SAM's prompt encoder and mask decoder."),
        "model.foundation": _said([{"name": "LiteMedSAM", "version": "2024", "licence": "Apache-2.0",
                                    "sha256": version.weights_sha256}]),
        "model.training_method": _missing("The published weights are used as they are; see Ma et al. 2024."),
        "training_data.datasets": _said(["MedSAM training collection (Ma et al. 2024)"]),
        "eval_data.datasets": _said(["MNI152 template slices as delivered by scanners A and B before the update"]),
        "eval_data.independence": _said(
            "The evaluation slices were never used by Example Imaging; whether MNI152 was among the foundation model's "
            "pre-training images is not known."
        ),
        "eval_data.reference_standard": _said("The template's grey and white matter maps above 0.5, holes filled."),
        "performance.metrics": _said("Mean Dice over slices against the template's tissue, with a bootstrap interval."),
        "performance.internal": _from(dice),
        "performance.external": _missing("No second head with reader's masks is available to this deployment."),
        "fairness.subgroups": _missing("One head: there are no patient subgroups. See monitoring for scanners."),
        "fairness.internal": _missing("One head: fairness between patient groups cannot be assessed."),
        "robustness.acquisition": _missing("Measured in the deployment, under simulated noise and bias field."),
        "explainability.approach": _said("Seg-Grad-CAM and Integrated Gradients, each with its report card."),
        "risk.risks": _said([{"hazard": "outline misses brain after an update", "control": "monitoring plan, review",
                              "residual": "acceptable with review"}]),
        "risk.limitations": _said(["Evaluated on slices of one head", "Sensitive to noise and bias field"]),
        "risk.lifecycle_risk": _said("Monitoring and the incident procedure run for the whole life of the device."),
        "risk.recommendations": _said("Check each outline, above all after any change of scanner software."),
        "risk.biases": _missing("Not assessable on one head."),
        "oversight.measures": _said("A radiographer checks every outline; use stops when the stop rule fires."),
        "oversight.automation_bias": _said("The outline is shown only after the reader has drawn the box."),
        "maintenance.validity_monitoring": _said("Dice of checked cases, limit 0.85, in windows of 28 days."),
        "maintenance.drift_monitoring": _said([{"signal": "image quality, mask area", "test": "W1/σ, act 0.5 sd"}]),
        "maintenance.fairness_monitoring": _missing("One head: there are no patient groups to watch."),
        "maintenance.updates": _said("A new version goes through change control and restarts the charts."),
        "security.privacy": _said("Cases and patients are keyed pseudonyms; images stay at the hospital."),
        "governance.funding": _said("None for this demonstration."),
    }  # fmt: skip
