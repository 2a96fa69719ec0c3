"""Which drift detectors exist, for which kind of signal."""

from assurance.evidence.catalogue import Catalogue, Entry

DETECTORS = Catalogue(
    "detector",
    w1_sd=Entry("Wasserstein-1 / σ", "monitoring.drift.w1_sd:w1_sd", "Vallender 1974; del Barrio, Giné & Matrán 1999",
                {"signals": "numeric", "states": ("binned", "sketch")}),
    ks=Entry("Kolmogorov–Smirnov", "monitoring.drift.ks:ks", "Smirnov 1939; Hodges 1958",
             {"signals": "numeric", "states": ("binned", "sketch")}),
    psi=Entry("Population stability index", "monitoring.drift.psi:psi", "Yurdakul & Naranjo 2020",
              {"signals": "numeric", "states": ("binned", "sketch")}),
    js=Entry("Jensen–Shannon distance", "monitoring.drift.js:js", "Lin 1991",
             {"signals": "numeric", "states": ("binned", "sketch")}),
    chi_square=Entry("χ² with Cramér's V", "monitoring.drift.chi_square:chi_square", "Pearson 1900; Bergsma 2013",
                     {"signals": "categorical", "states": ("categories",)}),
)  # fmt: skip
