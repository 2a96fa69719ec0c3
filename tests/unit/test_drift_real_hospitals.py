"""Drift between real hospitals, found in the model's scores and explained by how the images were made."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from assurance.evidence.finding import State
from monitoring.drift.drivers import rank_drivers
from monitoring.drift.ks import ks
from monitoring.drift.w1_sd import w1_sd
from scripts.evidence_drift_hospitals import compared, images_by_hospital, index_of, quiet_rates


@pytest.mark.parametrize(("site", "published"), [("nih", 0.429), ("hannover", 0.316)])
def test_a_model_that_moves_to_another_hospital_gives_other_scores(shared_data, site, published):
    table = pd.read_csv(shared_data / "predictions" / "cxr_multisite_pneumonia_predictions.csv")
    score = next(name for name in table.columns if name.startswith(("score", "prob", "prediction")))
    reference = table.loc[table["split"] == "reference", score]
    current = table.loc[(table["split"] == "deployed") & table["site"].str.lower().str.contains(site), score]
    finding = ks(reference, current)
    assert float(finding) == pytest.approx(published, abs=0.001)
    assert float(finding) == pytest.approx(stats.ks_2samp(reference, current).statistic, rel=1e-9)
    assert finding.state is State.ACT and finding.null.p_value < 1e-10
    assert w1_sd(reference, current).state in (State.WATCH, State.ACT)


def test_the_drift_between_two_hospitals_is_explained_by_their_images(shared_data):
    """Hannover's radiographs differ from NIH's in exposure and contrast; two halves of NIH do not."""
    folder = shared_data / "cxr"
    table = pd.read_csv(folder / "metadata.csv")
    sides = {site: table[table["file"].str.contains(site)].head(120) for site in ("nih", "hannover")}

    def signals(rows):
        found = []
        for name in rows["file"]:
            path = folder / name
            pixels = np.asarray(Image.open(path if path.is_file() else folder / path.name).convert("L"), dtype=float)
            low, high = np.percentile(pixels, [1, 99])
            found.append((pixels.mean(), pixels.std(), low, high, (pixels == 0).mean()))
        return dict(zip(("q_mean", "q_sd", "q_p1", "q_p99", "q_border"), np.array(found).T, strict=True))

    nih, hannover = signals(sides["nih"]), signals(sides["hannover"])
    verdicts = {name: w1_sd(nih[name], hannover[name]).state for name in nih}
    assert State.ACT in verdicts.values()
    ranked = rank_drivers(nih, hannover)
    assert verdicts[ranked[0].feature] is State.ACT
    assert ranked[0].share > 0.25
    halves = [{name: values[part::2] for name, values in nih.items()} for part in (0, 1)]
    assert all(w1_sd(halves[0][name], halves[1][name]).state is not State.ACT for name in nih)


def test_the_evidence_page_finds_and_explains_hannover_and_is_quiet_within_nih(shared_data):
    """The functions behind docs/evidence/drift_hospitals.md, on a part of the images."""
    images = images_by_hospital(shared_data, most=130)
    nih, hannover = images["NIH"], images["Hannover"]
    found = compared(nih, hannover)
    assert found["q_noise_sd"].state is State.ACT and found["view"].null.p_value < 1e-4
    assert "q_noise_sd" in [one.feature for one in rank_drivers(nih, hannover)[:3]]
    assert index_of(nih, found).value < -3
    quiet = quiet_rates(nih, splits=20)
    assert sum(spoke for spoke, _ in quiet.values()) / (20 * len(quiet)) < 0.03
