"""Which attribution methods exist, for which task, at which cost in model evaluations."""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "explainability.attribution"
_BOTH = ("classification", "segmentation")

EXPLAINERS = Catalogue(
    "explainer",
    **{
        "integrated-gradients": Entry(
            "Integrated Gradients", f"{_ROOM}.integrated_gradients:integrated_gradients",
            "Sundararajan, Taly & Yan 2017, arXiv:1703.01365", {"tasks": _BOTH, "signed": True, "cost": "3 × steps"},
        ),
        "grad-cam": Entry(
            "Grad-CAM", f"{_ROOM}.grad_cam:grad_cam", "Selvaraju et al. 2017, arXiv:1610.02391",
            {"tasks": ("classification",), "signed": False, "cost": "3"},
        ),
        "seg-grad-cam": Entry(
            "Seg-Grad-CAM", f"{_ROOM}.grad_cam:seg_grad_cam", "Vinogradova et al. 2020, arXiv:2002.11434",
            {"tasks": ("segmentation",), "signed": False, "cost": "3"},
        ),
        "occlusion": Entry(
            "Occlusion", f"{_ROOM}.occlusion:occlusion", "Zeiler & Fergus 2014, arXiv:1311.2901",
            {"tasks": _BOTH, "signed": True, "cost": "(2 × windows − 1)²"},
        ),
        "saliency": Entry(
            "Saliency", f"{_ROOM}.smooth_gradient:saliency", "Simonyan et al. 2014, arXiv:1312.6034",
            {"tasks": _BOTH, "signed": False, "cost": "3"},
        ),
        "smoothgrad": Entry(
            "SmoothGrad", f"{_ROOM}.smooth_gradient:smoothgrad", "Smilkov et al. 2017, arXiv:1706.03825",
            {"tasks": _BOTH, "signed": False, "cost": "3 × samples"},
        ),
    },
)  # fmt: skip
