"""Every sequential detector as data: one line each.

``facts["values"]``: ``numbers`` (one per window) or ``outcomes`` (0 or 1 per case). ``facts["needs"]`` names required
arguments. ``facts["calibrated"]``: its false-alarm rate follows from its design.
"""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "monitoring.sequential"


def _entry(
    title: str,
    place: str,
    source: str,
    *,
    values: str = "numbers",
    needs: tuple[str, ...] = (),
    calibrated: bool = True,
) -> Entry:
    facts = {"values": values, "needs": needs, "calibrated": calibrated}
    return Entry(title, f"{_ROOM}.{place}", source, facts)


SEQUENTIAL = Catalogue(
    "sequential detector",
    cusum=_entry("Tabular CUSUM", "cusum:cusum", "Page (1954), Biometrika 41:100"),
    ewma=_entry("EWMA chart", "ewma:ewma", "Roberts (1959); Lucas & Saccucci (1990), Technometrics 32:1"),
    shewhart=_entry("Shewhart chart", "shewhart:shewhart", "Shewhart (1931)"),
    e_detector=_entry(
        "Mixture Shiryaev–Roberts e-detector", "e_detector:e_detector",
        "Shin, Ramdas & Rinaldo (2023), arXiv:2203.03532", values="outcomes", needs=("p0",),
    ),
    bernoulli_cusum=_entry(
        "Bernoulli CUSUM", "bernoulli_cusum:bernoulli_cusum", "Reynolds & Stoumbos (1999), JQT 31:87",
        values="outcomes", needs=("p0",),
    ),
    risk_adjusted_cusum=_entry(
        "Risk-adjusted CUSUM", "risk_adjusted_cusum:risk_adjusted_cusum", "Steiner et al. (2000), Biostatistics 1:441",
        values="outcomes", needs=("risks",),
    ),
    confidence_sequence=_entry(
        "Confidence sequence of a bounded mean", "confidence_sequence:confidence_sequence",
        "Waudby-Smith & Ramdas (2024), JRSS B 86:1",
    ),
    aim_cu=_entry("AIM-CU preset", "aim_cu:aim_cu", "FDA DIDSR, AIM-CU; Page (1954), Biometrika 41:100"),
    bayes_changepoint=_entry(
        "Bayesian online changepoint", "bayes_changepoint:bayes_changepoint", "Adams & MacKay (2007), arXiv:0710.3742",
        calibrated=False,
    ),
    page_hinkley=_entry(
        "Page–Hinkley test", "page_hinkley:page_hinkley", "Page (1954); Hinkley (1971), Biometrika 58:509",
        calibrated=False,
    ),
    adwin=_entry("ADWIN", "adwin:adwin", "Bifet & Gavaldà (2007), SIAM SDM", calibrated=False),
)  # fmt: skip
