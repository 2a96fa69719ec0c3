"""The real prediction log of the pneumonia classifier, laid on a calendar that ends today."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files

import numpy as np
import pandas as pd

LOG = "data/logs/cxr_multisite_pneumonia_predictions.csv"
WINDOW_DAYS, WINDOWS = 42, 4
SITES = {"Guangzhou": "guangzhou", "NIH": "nih", "Hannover": "hannover"}
THRESHOLD = 0.5
NOTE = (
    "A real prediction log (1,167 cases of three hospitals) replayed on a calendar: dates shown are not the dates of "
    "the examinations."
)


@dataclass(frozen=True)
class ChestLog:
    """Rows in the columns of a prediction file. ``labels`` holds the truth of monitored cases, sent later."""

    reference: pd.DataFrame
    monitored: pd.DataFrame
    labels: pd.DataFrame


def chest_log(*, today: date, seed: int = 0) -> ChestLog:
    """624 reference cases before the first window; 543 monitored ones spread evenly and at random over 24 weeks."""
    source = files("assurance").joinpath(LOG)
    with source.open("rb") as file:
        rows = pd.read_csv(file, dtype={"patient_id": "string"})
    start = today - timedelta(days=WINDOW_DAYS * WINDOWS)
    table = pd.DataFrame(
        {
            "case_id": rows["file"],
            "patient_id": rows["patient_id"].fillna(rows["file"]),
            "site": rows["site"].map(_site),
            "score": rows["prob_pneumonia"],
            "decision": np.where(rows["prob_pneumonia"] >= THRESHOLD, "pneumonia", "no pneumonia"),
            "label": rows["label_pneumonia"],
            "meta_sex": rows["sex"],
            "meta_age": rows["age"],
            "meta_view": rows["view"],
        }
    )
    is_reference = (rows["split"] == "reference").to_numpy()
    rng = np.random.default_rng(seed)
    reference = table[is_reference].copy()
    reference["study_time"] = _times(start - timedelta(days=90), 90, len(reference), rng)
    monitored = table[~is_reference].drop(columns="label")
    times = pd.Series(index=monitored.index, dtype="object")
    for _, group in monitored.groupby("site"):
        times[group.index] = _times(start, WINDOW_DAYS * WINDOWS, len(group), rng)
    monitored = monitored.assign(study_time=times)
    known = table[~is_reference & table["label"].notna().to_numpy()]
    labels = known[["case_id", "label"]].assign(label_time=datetime.combine(today, time(0), UTC).isoformat())
    return ChestLog(reference.dropna(axis="columns", how="all"), monitored, labels)


def _site(name: str) -> str:
    return next(code for start, code in SITES.items() if name.startswith(start))


def _times(start: date, days: int, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` times spread evenly over ``days``, in random order, at working hours."""
    minutes = np.linspace(0, days * 24 * 60, n, endpoint=False)[rng.permutation(n)]
    midnight = datetime.combine(start, time(0), UTC)
    return [(midnight + timedelta(minutes=float(at))).isoformat() for at in minutes]
