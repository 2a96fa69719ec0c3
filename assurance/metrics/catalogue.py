"""Every performance metric as data: one line each.

``facts["input"]`` says how to call it: ``labels_scores`` (labels, scores), ``masks`` (reference, prediction), ``boxes``
and ``points`` (reference, prediction), ``case_values`` (values). ``facts["needs"]`` names required keyword arguments,
``facts["better"]`` is "higher", "lower" or the ideal value.
"""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "assurance.metrics"


def _scored(title: str, place: str, source: str, better: str | float = "higher", **facts: object) -> Entry:
    return Entry(title, f"{_ROOM}.{place}", source, {"input": "labels_scores", "better": better, "unit": "1", **facts})


def _masks(title: str, place: str, source: str, better: str, unit: str = "1", needs: tuple[str, ...] = ()) -> Entry:
    facts = {"input": "masks", "better": better, "unit": unit, "needs": needs}
    return Entry(title, f"{_ROOM}.{place}", source, facts)


def _cases(title: str, place: str, source: str, better: str) -> Entry:
    return Entry(
        title, f"{_ROOM}.case_summary:{place}", source, {"input": "case_values", "better": better, "unit": "1"}
    )


_WILSON = "Wilson (1927), JASA 22:209; Rao & Scott (1992), Biometrics 48:577"
_SURFACE = "Huttenlocher, Klanderman & Rucklidge (1993), IEEE TPAMI 15:850"
_MM = ("spacing_mm",)

METRICS = Catalogue(
    "metric",
    auroc=_scored("Area under the ROC curve", "roc_auc:auroc", "DeLong et al. (1988), Biometrics 44:837"),
    average_precision=_scored(
        "Average precision", "average_precision:average_precision", "Davis & Goadrich (2006), ICML"
    ),
    sensitivity=_scored("Sensitivity", "confusion:sensitivity", _WILSON, threshold=True),
    specificity=_scored("Specificity", "confusion:specificity", _WILSON, threshold=True),
    ppv=_scored("Positive predictive value", "confusion:ppv", _WILSON, threshold=True),
    npv=_scored("Negative predictive value", "confusion:npv", _WILSON, threshold=True),
    accuracy=_scored("Accuracy", "confusion:accuracy", _WILSON, threshold=True),
    brier=_scored("Brier score", "brier:brier", "Brier (1950), Monthly Weather Review 78:1", "lower", probability=True),
    ece=_scored(
        "Expected calibration error", "calibration_error:ece", "Naeini et al. (2015), AAAI", "lower", probability=True
    ),
    debiased_calibration_error=_scored(
        "Debiased calibration error",
        "calibration_error:debiased_calibration_error",
        "Kumar, Liang & Ma (2019), NeurIPS, arXiv:1909.10155",
        "lower",
        probability=True,
    ),
    smooth_ece=_scored(
        "Smooth calibration error",
        "calibration_error:smooth_ece",
        "Błasiok & Nakkiran (2023), arXiv:2309.12236",
        "lower",
        probability=True,
    ),
    calibration_slope=_scored(
        "Calibration slope",
        "calibration_line:calibration_slope",
        "Cox (1958), Biometrika 45:562; Van Calster et al. (2016), J Clin Epidemiol 74:167",
        1.0,
        probability=True,
    ),
    calibration_intercept=_scored(
        "Calibration in the large",
        "calibration_line:calibration_intercept",
        "Van Calster et al. (2016), J Clin Epidemiol 74:167",
        0.0,
        probability=True,
    ),
    observed_expected=_scored(
        "Observed to expected ratio",
        "calibration_line:observed_expected",
        "Debray et al. (2017), BMJ 356:i6460",
        1.0,
        probability=True,
    ),
    net_benefit=_scored(
        "Net benefit",
        "net_benefit:net_benefit",
        "Vickers & Elkin (2006), Medical Decision Making 26:565",
        unit="true positives per case",
        probability=True,
        threshold=True,
    ),
    dice=_masks("Dice coefficient", "mask_overlap:dice", "Dice (1945), Ecology 26:297", "higher"),
    iou=_masks("Intersection over union", "mask_overlap:iou", "Jaccard (1912), New Phytologist 11:37", "higher"),
    hd95=_masks("95th percentile Hausdorff distance", "surface_distance:hd95", _SURFACE, "lower", "mm", _MM),
    hausdorff=_masks("Hausdorff distance", "surface_distance:hausdorff", _SURFACE, "lower", "mm", _MM),
    assd=_masks(
        "Average symmetric surface distance",
        "surface_distance:assd",
        "Heimann et al. (2009), IEEE TMI 28:1251",
        "lower",
        "mm",
        _MM,
    ),
    nsd=_masks(
        "Normalised surface distance",
        "surface_dice:nsd",
        "Nikolov et al. (2021), JMIR 23:e26151",
        "higher",
        needs=("spacing_mm", "tolerance_mm"),
    ),
    box_iou=Entry(
        "Box intersection over union",
        f"{_ROOM}.localisation:box_iou",
        "Everingham et al. (2010), IJCV 88:303",
        {"input": "boxes", "better": "higher", "unit": "1"},
    ),
    centre_error=Entry(
        "Centre error",
        f"{_ROOM}.localisation:centre_error",
        "Maier-Hein & Reinke et al. (2024), Nature Methods 21:195",
        {"input": "boxes", "better": "lower", "unit": "mm", "needs": _MM},
    ),
    tre=Entry(
        "Target registration error",
        f"{_ROOM}.localisation:tre",
        "Fitzpatrick & West (2001), IEEE TMI 20:917",
        {"input": "points", "better": "lower", "unit": "mm", "needs": _MM},
    ),
    case_mean=_cases("Mean over cases", "case_mean", "Efron & Tibshirani (1993)", "higher"),
    case_median=_cases("Median over cases", "case_median", "Conover (1999), section 3.2", "higher"),
    failure_share=_cases("Share of failures", "failure_share", "Maier-Hein & Reinke et al. (2024)", "lower"),
)
