"""The demo life as a user starts it, with two workers killed in its middle; its numbers recomputed by other means."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from config.demo.chest_log import WINDOW_DAYS, WINDOWS, chest_log

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 1500
ASK = """
import json
from accounts.row_security import see_everything
from assurance.models import CaseFile, Deployment, FindingRecord, Job, Submission
from assurance.services.case_files import case_array
from explainability.models import Explanation
from monitoring.models import Alarm, Label, Prediction
from records.models import AuditEvent, AuditLink
from vigilance.models import Incident
see_everything()
chest, brain = (Deployment.objects.get(slug=slug) for slug in ("chest-pneumonia", "brain-outline"))
case = CaseFile.objects.filter(deployment=brain, role="truth").order_by("case").first().case
truth, mask = (case_array(brain, case, role)[0].astype(bool) for role in ("truth", "output"))
rows = FindingRecord.objects.filter(superseded_by=None)
print(json.dumps({
    "predictions": {d.slug: Prediction.objects.filter(deployment=d).count() for d in (chest, brain)},
    "auroc": {r.stratum: r.value for r in rows.filter(deployment=chest, quantity="auroc").order_by("window_end")},
    "auroc_reasons": {r.stratum: r.content["reason"] for r in rows.filter(deployment=chest, quantity="auroc")},
    "ks": [[r.stratum, r.window_start.isoformat(), r.value, r.state, r.n_cases] for r in
           rows.filter(deployment=chest, quantity="ks", signal="score")],
    "dice_label": Label.objects.get(deployment=brain, case=case, quantity="dice").value,
    "intersection": int((truth & mask).sum()), "sizes": [int(truth.sum()), int(mask.sum())],
    "opinions": rows.filter(quantity="w1_sd", content__details__has_key="second_opinion").count(),
    "states": sorted(set(rows.filter(deployment=brain).values_list("state", flat=True))),
    "alarms": Alarm.objects.count(), "incidents": Incident.objects.count(),
    "explanations": list(Explanation.objects.values_list("status", flat=True)),
    "submission": Submission.objects.get().state,
    "jobs": list(Job.objects.exclude(status="done").values_list("title", "status", "reason")),
    "unlinked": AuditEvent.objects.count() - AuditLink.objects.count(),
}))
"""


def vigil(*arguments, home, **options):
    code = f"import sys; sys.argv = ['vigil', *{list(arguments)!r}]; from config.command_line import main; main()"
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environment |= {"VIGIL_HOME": str(home), "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment.pop("VIGIL_PORT", None)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, **options
    )


def workers_of(home, queues):
    """Process ids of this instance's workers, found as an operator would: by their command lines and environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        words = line.split(b"\0")
        if b"worker" in words and f"VIGIL_HOME={home}\0".encode() in environment + b"\0":
            queue = words[words.index(b"--queues") + 1].decode()
            if queue in queues:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """(what was printed, answers of the database) of one quick demo in which two workers were killed."""
    home = tmp_path_factory.mktemp("demo life")  # a path with a space
    log = home / "progress.log"
    with log.open("w") as progress:
        process = vigil("demo", "--no-serve", "--quick", home=home, stderr=progress)
        until, killed = time.monotonic() + LIMIT_S, []
        while process.poll() is None and time.monotonic() < until and not killed:
            if "the plan is agreed" in log.read_text():
                killed = workers_of(home, {"ingest", "statistics"})
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        printed, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, f"{log.read_text()[-3000:]}\n{printed[-3000:]}"
    assert killed, "no worker was found to kill"
    asked = vigil("shell", "--no-imports", "-c", ASK, home=home)
    answer, _ = asked.communicate(timeout=300)
    return printed, json.loads(answer.strip().splitlines()[-1]), home


def raw_log():
    with files("assurance").joinpath("data/logs/cxr_multisite_pneumonia_predictions.csv").open("rb") as file:
        return pd.read_csv(file)


@pytest.mark.slow
def test_nothing_is_lost_though_two_workers_were_killed(life):
    _, found, _ = life
    assert found["predictions"]["chest-pneumonia"] == len(raw_log())
    assert found["predictions"]["brain-outline"] == (13 + 13) + (2 + 4) + (2 + 13)
    assert found["jobs"] == []
    assert found["unlinked"] == 0


@pytest.mark.slow
def test_aurocs_agree_with_scikit_learn_on_the_raw_log(life):
    _, found, _ = life
    log = raw_log()
    reference = log[log["split"] == "reference"]
    nih = log[log["site"].str.startswith("NIH") & log["label_pneumonia"].notna()]
    assert found["auroc"]["set=reference"] == pytest.approx(
        roc_auc_score(reference["label_pneumonia"], reference["prob_pneumonia"]), abs=1e-9
    )
    assert found["auroc"]["site=nih"] == pytest.approx(
        roc_auc_score(nih["label_pneumonia"], nih["prob_pneumonia"]), abs=1e-9
    )
    assert found["auroc"]["site=hannover"] is None  # every labelled case there has the finding
    assert found["auroc_reasons"]["site=hannover"]


@pytest.mark.slow
def test_drift_of_the_score_agrees_with_scipy_within_the_state_s_error(life):
    _, found, _ = life
    today = datetime.now(UTC).date()
    log = chest_log(today=today)
    start = datetime.combine(today - timedelta(days=WINDOW_DAYS * WINDOWS), datetime.min.time(), UTC)
    times = pd.to_datetime(log.monitored["study_time"], utc=True, format="ISO8601")
    reference = log.reference["score"].to_numpy()
    heaviest = np.histogram(reference, bins=1000, range=(0, 1))[0].max() / reference.size
    checked = 0
    for stratum, begin, value, _, n in found["ks"]:
        begin = datetime.fromisoformat(begin)
        inside = (times >= begin) & (times < begin + timedelta(days=WINDOW_DAYS))
        if stratum:
            inside &= log.monitored["site"] == stratum.removeprefix("site=")
        current = log.monitored.loc[inside, "score"].to_numpy()
        mass = np.histogram(current, bins=1000, range=(0, 1))[0].max() / current.size
        exact = stats.ks_2samp(reference, current).statistic
        assert n == current.size
        assert value == pytest.approx(exact, abs=max(heaviest, mass))
        checked += 1
    assert checked == WINDOWS * 3 and start  # all cases and two hospitals, each window
    assert any(state == "act" for _, _, _, state, _ in found["ks"])


@pytest.mark.slow
def test_dice_is_that_of_the_stored_masks(life):
    _, found, _ = life
    assert found["dice_label"] == pytest.approx(2 * found["intersection"] / sum(found["sizes"]), abs=1e-9)


@pytest.mark.slow
def test_the_whole_line_was_lived(life):
    printed, found, home = life
    assert found["submission"] == "active"
    assert found["alarms"] > 0 and found["incidents"] > 0 and found["opinions"] > 0
    assert "done" in found["explanations"]
    bundles, papers = sorted(home.rglob("D-*.zip")), sorted(home.rglob("D-*.pdf"))
    assert len(bundles) == len(papers) == 2
    assert "finds a flipped byte" in printed and "AUROC" in printed and "Dice" in printed
    assert not (home / "var" / "demo-logins.json").exists()


@pytest.mark.slow
def test_a_second_start_finds_the_life_lived(life):
    _, _, home = life
    again = vigil("demo", "--no-serve", "--quick", home=home, stderr=subprocess.DEVNULL)
    printed, _ = again.communicate(timeout=300)
    assert again.returncode == 0
    assert "was lived here before" in printed
