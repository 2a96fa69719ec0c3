"""The 25 sections in the order in which a reviewer reads: what is it, how tested, how watched, what went wrong,
can I check."""

from importlib import import_module

from reporting.dossier.sources import SectionPlan

FILES = (
    "s00_cover",
    "s01_summary",
    "s02_question",
    "s03_use",
    "s04_model",
    "s05_data",
    "s06_design",
    "s07_performance",
    "s08_generalise",
    "s09_calibration",
    "s10_fairness",
    "s11_explain",
    "s12_human",
    "s13_risk",
    "s14_security",
    "s15_lifecycle",
    "s16_change",
    "s17_monitor_plan",
    "s18_monitor_results",
    "s19_vigilance",
    "s20_clinical",
    "s21_sandbox",
    "s22_gaps",
    "s23_matrix",
    "s24_records",
)


def sections() -> list[SectionPlan]:
    return [import_module(f"reporting.dossier.sections.{name}").SECTION for name in FILES]
