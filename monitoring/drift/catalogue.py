"""Which drift detectors exist, for which kinds of signal.

``facts["signals"]``: the kinds a detector reads, of ``numeric``, ``categorical``, ``embedding`` (n, d) and ``scores``
(n, classes). ``facts["states"]``: the day states it can read instead of raw values.
"""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "monitoring.drift"
_NUMERIC = ("binned", "sketch")


def _entry(title: str, key: str, source: str, signals: tuple[str, ...], states: tuple[str, ...] = ()) -> Entry:
    return Entry(title, f"{_ROOM}.{key}:{key}", source, {"signals": signals, "states": states})


DETECTORS = Catalogue(
    "detector",
    w1_sd=_entry("Wasserstein-1 / σ", "w1_sd", "Vallender 1974; del Barrio, Giné & Matrán 1999", ("numeric",),
                 _NUMERIC),
    ks=_entry("Kolmogorov–Smirnov", "ks", "Smirnov 1939; Hodges 1958", ("numeric",), _NUMERIC),
    psi=_entry("Population stability index", "psi", "Yurdakul & Naranjo 2020", ("numeric",), _NUMERIC),
    js=_entry("Jensen–Shannon distance", "js", "Lin 1991", ("numeric",), _NUMERIC),
    cramer_von_mises=_entry("Cramér–von Mises", "cramer_von_mises", "Anderson 1962", ("numeric",), _NUMERIC),
    anderson_darling=_entry("Anderson–Darling", "anderson_darling", "Pettitt 1976", ("numeric",), _NUMERIC),
    energy=_entry("Energy distance, standardised", "energy", "Székely & Rizzo 2013", ("numeric",), _NUMERIC),
    hellinger=_entry("Hellinger distance", "hellinger", "Hellinger 1909; Le Cam & Yang 2000",
                     ("numeric", "categorical"), (*_NUMERIC, "categories")),
    total_variation=_entry("Total variation", "total_variation", "Levin & Peres 2017", ("numeric", "categorical"),
                           (*_NUMERIC, "categories")),
    chi_square=_entry("χ² with Cramér's V", "chi_square", "Pearson 1900; Bergsma 2013", ("categorical",),
                      ("categories",)),
    g_test=_entry("G test with Cramér's V", "g_test", "Wilks 1938; Fisher 1934; Bergsma 2013", ("categorical",),
                  ("categories",)),
    rff_mmd=_entry("Maximum mean discrepancy (random features)", "rff_mmd", "Gretton et al. 2012; Rahimi & Recht 2007",
                   ("embedding",), ("embedding",)),
    c2st=_entry("Classifier two-sample test", "c2st", "Lopez-Paz & Oquab 2017", ("embedding",)),
    component_ks=_entry("KS by component", "component_ks", "Rabanser, Günnemann & Lipton 2019; Holm 1979",
                        ("embedding",)),
    mahalanobis_ood=_entry("Share outlying by Mahalanobis distance", "mahalanobis_ood",
                           "Mahalanobis 1936; Ledoit & Wolf 2004", ("embedding",)),
    knn_ood=_entry("Share without near neighbours", "knn_ood", "Ramaswamy, Rastogi & Shim 2000; Sun et al. 2022",
                   ("embedding",)),
    frechet=_entry("Fréchet distance", "frechet", "Dowson & Landau 1982; Heusel et al. 2017", ("embedding",),
                   ("moments",)),
    bbsd=_entry("Black-box shift detection", "bbsd", "Lipton, Wang & Smola 2018", ("scores",)),
)  # fmt: skip


def suited(kind: str) -> list[str]:
    """Keys of the detectors that read signals of ``kind``, in the catalogue's order."""
    return [key for key in DETECTORS if kind in DETECTORS[key].facts["signals"]]
