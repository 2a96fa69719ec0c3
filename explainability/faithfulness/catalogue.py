"""Which checks a map must answer to, what each costs, and whether it is judged or only reported."""

from assurance.evidence.catalogue import Catalogue, Entry

_ROOM = "explainability.faithfulness"

# Facts: ``maps`` how many further maps a check makes (0 for cheap ones); ``judged`` whether it has a limit;
# ``quick`` whether it belongs to the short card that every map gets.
CHECKS = Catalogue(
    "check",
    completeness=Entry(
        "Completeness error", f"{_ROOM}.completeness:completeness", "Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
        {"maps": 0, "judged": True, "quick": True, "better": "smaller"},
    ),
    randomisation=Entry(
        "Randomised weights (eMPRT)", f"{_ROOM}.randomisation:randomisation", "Hedström et al. 2024, arXiv:2405.02383",
        {"maps": 1, "judged": True, "quick": True, "better": "larger"},
    ),
    cascading_randomisation=Entry(
        "Cascading randomisation", f"{_ROOM}.randomisation:cascading_randomisation",
        "Adebayo et al. 2018, arXiv:1810.03292", {"maps": 4, "judged": True, "quick": False, "better": "smaller"},
    ),
    deletion=Entry(
        "Deletion against random order", f"{_ROOM}.pixel_removal:deletion", "Rong et al. 2022, arXiv:2202.00449",
        {"maps": 0, "judged": True, "quick": True, "better": "larger"},
    ),
    insertion=Entry(
        "Insertion against random order", f"{_ROOM}.pixel_removal:insertion",
        "Petsiuk, Das & Saenko 2018, arXiv:1806.07421", {"maps": 0, "judged": True, "quick": True, "better": "larger"},
    ),
    pointing_game=Entry(
        "Pointing game", f"{_ROOM}.localisation:pointing_game", "Zhang et al. 2018, arXiv:1608.00507",
        {"maps": 0, "judged": True, "quick": True, "better": "larger"},
    ),
    relevance_mass=Entry(
        "Relevance mass in the mask", f"{_ROOM}.localisation:relevance_mass",
        "Arras, Osman & Samek 2022, arXiv:2003.07258", {"maps": 0, "judged": True, "quick": True, "better": "larger"},
    ),
    relevance_rank=Entry(
        "Relevance rank in the mask", f"{_ROOM}.localisation:relevance_rank",
        "Arras, Osman & Samek 2022, arXiv:2003.07258", {"maps": 0, "judged": True, "quick": True, "better": "larger"},
    ),
    leakage=Entry(
        "Leakage beyond the mask", f"{_ROOM}.localisation:leakage", "Vinogradova et al. 2020, arXiv:2002.11434",
        {"maps": 0, "judged": False, "quick": True, "better": "smaller"},
    ),
    infidelity=Entry(
        "Infidelity", f"{_ROOM}.infidelity:infidelity", "Yeh et al. 2019, arXiv:1901.09392",
        {"maps": 1, "judged": True, "quick": True, "better": "smaller"},
    ),
    sensitivity_max=Entry(
        "Largest sensitivity", f"{_ROOM}.stability:sensitivity_max", "Yeh et al. 2019, arXiv:1901.09392",
        {"maps": 4, "judged": False, "quick": False, "better": "smaller"},
    ),
    noise_stability=Entry(
        "Stability under acquisition noise", f"{_ROOM}.stability:noise_stability",
        "Arun et al. 2021, Radiology: Artificial Intelligence 3(6):e200267",
        {"maps": 2, "judged": True, "quick": False, "better": "larger"},
    ),
    reproducibility=Entry(
        "Reproducibility between versions", f"{_ROOM}.stability:reproducibility",
        "Arun et al. 2021, Radiology: Artificial Intelligence 3(6):e200267",
        {"maps": 0, "judged": False, "quick": True, "better": "larger"},
    ),
)  # fmt: skip
