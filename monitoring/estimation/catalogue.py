"""Every estimator of performance without, or with few, labels as data: one line each.

``facts["input"]``: ``label_free`` (reference_labels, reference_scores, current_scores → list of Findings),
``few_labels`` (labels, scores, unlabelled_scores → list of Findings), ``counts`` (keyword counts → list of Findings),
``audit`` (outcomes, probabilities, read → Finding). ``facts["needs"]`` names required keyword arguments.
"""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "monitoring.estimation"


def _free(title: str, place: str, source: str, needs: tuple[str, ...] = ()) -> Entry:
    return Entry(title, f"{_ROOM}.{place}", source, {"input": "label_free", "needs": needs})


ESTIMATORS = Catalogue(
    "estimator",
    cbpe=_free("Confidence-based estimation (CBPE)", "confidence_based:cbpe", "Białek et al. (2024), arXiv:2401.08348"),
    m_cbpe=_free(
        "CBPE for covariate shift (M-CBPE)",
        "confidence_based:m_cbpe",
        "Białek et al. (2024), arXiv:2401.08348",
        ("reference_features", "current_features"),
    ),
    cm_atc=_free(
        "Average thresholded confidence (CM-ATC)",
        "confidence_threshold:cm_atc",
        "Garg et al. (2022), arXiv:2201.04234; Flühmann et al. (2025), arXiv:2507.22776",
    ),
    cm_doc=_free(
        "Difference of confidences (CM-DoC)",
        "confidence_threshold:cm_doc",
        "Guillory et al. (2021), arXiv:2107.03315; Flühmann et al. (2025), arXiv:2507.22776",
    ),
    performance_range=_free(
        "Range over CBPE, CM-ATC and CM-DoC",
        "performance_range:performance_range",
        "Flühmann et al. (2025), arXiv:2507.22776",
    ),
    label_shift=_free(
        "Label shift (EM, checked by BBSE)",
        "label_shift:label_shift",
        "Saerens et al. (2002), Neural Computation 14:21; Lipton et al. (2018), ICML",
    ),
    ppi=Entry(
        "Prediction-powered inference (PPI++)",
        f"{_ROOM}.prediction_powered:ppi",
        "Angelopoulos, Duchi & Zrnic (2023), arXiv:2311.01453",
        {"input": "few_labels", "needs": ()},
    ),
    begg_greenes=Entry(
        "Correction for verification bias",
        f"{_ROOM}.verification_bias:begg_greenes",
        "Begg & Greenes (1983), Biometrics 39:207",
        {
            "input": "counts",
            "needs": (
                "called_with",
                "called_without",
                "spared_with",
                "spared_without",
                "called_unverified",
                "spared_unverified",
            ),
        },
    ),
    audit_estimate=Entry(
        "Estimate from an audit with known chances",
        f"{_ROOM}.audit_sample:audit_estimate",
        "Robins, Rotnitzky & Zhao (1994), JASA 89:846",
        {"input": "audit", "needs": ()},
    ),
)
