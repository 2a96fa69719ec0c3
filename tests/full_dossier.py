"""Sources of a dossier in which every kind of section has something to say, for looking at pages and reading them."""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from assurance.evidence.finding import Window
from assurance.metrics.proportions import wilson
from assurance.metrics.roc_auc import auroc
from reporting.dossier.recompute import ranks, roc_points
from reporting.dossier.sources import Sources
from tests.dossiers import as_evidence, identity, sources

PERIOD = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
QUESTION = "Does triage by the device keep its sensitivity when the detector of the north wing is replaced?"


def full_sources(*, windows: int = 6, **changes) -> tuple[Sources, dict, dict[str, bytes]]:
    """(sources, summaries, pictures by path)."""
    given, summaries = sources(windows=windows)
    rng = np.random.default_rng(5)
    labels = (rng.random(800) < 0.35).astype(int)
    clean = np.clip(labels * 0.35 + rng.normal(0.35, 0.16, 800), 0, 1)
    place = {"model_version": "CXR triage 1.2", "reference": "Acceptance 0011aabbccdd", "n_reference": 2000}
    more = []
    for shift, harm in (("exposure", 0.03), ("scatter", 0.07), ("jpeg", 0.02)):
        for severity in range(6):
            scores = np.clip(clean + rng.normal(0, harm * severity + 1e-6, 800), 0, 1)
            finding = auroc(labels, scores, limit=0.8)
            stratum = {"shift": shift, "severity": str(severity)}
            more.append(as_evidence("generalizability", replace(finding, stratum=stratum, signal="score", **place)))
    overall = auroc(labels, clean, limit=0.8)
    details = {"evaluation": {"start": PERIOD.start.isoformat(), "end": PERIOD.end.isoformat()}}
    by = rng.choice(["female", "male"], 800)
    for stratum, here in (({}, by != ""), ({"sex": "female"}, by == "female"), ({"sex": "male"}, by == "male")):
        found = auroc(labels[here], clean[here], limit=0.8) if stratum else overall
        found = replace(found, signal="score", stratum=stratum, details={**found.details, **details}, **place)
        more.append(as_evidence("performance", found))
    bins = []
    for low in np.arange(0, 1, 0.1):
        here = (clean >= low) & (clean < low + 0.1)
        if here.sum():
            share = wilson(float(labels[here].sum()), float(here.sum()))
            observed = float(labels[here].mean())
            mean = float(clean[here].mean())
            bins.append(
                {"score": mean, "observed": observed, "n": int(here.sum()), "low": share.low, "high": share.high}
            )
    picture = overlay()
    digest = hashlib.sha256(picture).hexdigest()
    made = replace(
        given,
        identity=identity(
            submission="S-0007",
            submission_state="in testing",
            programme="EU sandbox (Art. 57)",
            supersedes="D-2026-0003",
        ),
        evidence=(*given.evidence, *more),
        submission=SUBMISSION,
        incidents=INCIDENTS,
        changes=[
            {"at": "2026-03-04T08:00:00+00:00", "word": "detector replaced", "reason": "North wing, new panel"},
            {"at": "2026-05-11T10:00:00+00:00", "word": "plan revision 2", "reason": "Sensitivity limit added"},
        ],
        alarms=[ALARM | {"evidence": given.evidence[0].id}],
        windows=[
            {
                "start": f"2026-0{n}-01",
                "end": f"2026-0{n}-29",
                "n_cases": 600 if n != 3 else 0,
                "revision": 1,
                "computed_at": f"2026-0{n}-30T02:00:00+00:00",
                "input_sha256": hashlib.sha256(str(n).encode()).hexdigest(),
            }
            for n in range(1, 7)
        ],
        intake={"facts": [["Cases studied in the period", "3,600 cases, 12 without a score"], ["Refused", "4"]]},
        plan=PLAN,
        references=[
            {
                "name": "Acceptance",
                "description": "Consecutive cases of the acceptance test",
                "n_cases": 2000,
                "sha256": "0011aabbccdd" + "0" * 52,
                "frozen_at": "2025-12-20T09:00:00+00:00",
                "replaced_at": "",
            }
        ],
        coverage=[
            {
                "title": "EU AI Act",
                "told": "3 requirements: 1 met, 1 partly met, 1 not met, 0 not applicable",
                "note": "Regulation (EU) 2024/1689",
                "rows": [
                    [
                        "eu-ai-act-15-declared",
                        "Declared accuracy (Art. 15(3))",
                        "met",
                        "AUROC 1f2e3d4c5b6a",
                        "verified",
                    ],
                    ["eu-ai-act-12-logging", "Logging (Art. 12)", "partly met", "audit trail", "verified"],
                    ["eu-ai-act-9-residual", "Residual risk (Art. 9(5))", "not met", "none", "unverified"],
                ],
            }
        ],
        reliability=[
            {
                "title": "Reliability of the score",
                "text": f"800 labelled cases in {len(bins)} bins; bars are 95 % Wilson intervals.",
                "data": {"bins": bins},
                "evidence": [],
            }
        ],
        roc=[
            {
                "title": "ROC curve of the period",
                "text": "800 labelled cases. The square is the operating point in use.",
                "data": {
                    "curves": [{"name": "all cases (n 800)", "points": roc_points(ranks(labels.astype(float), clean))}],
                    "marks": [{"x": 0.12, "y": 0.86, "word": "threshold 0.5"}],
                },
                "evidence": [],
            }
        ],
        explanations=[
            {
                "case": "case 1",
                "method": "occlusion",
                "target": "opacity",
                "card": "randomisation ok, deletion ok",
                "state": "ok",
                "text": "Map of opacity by occlusion. Masking the marked region lowers the score from 0.91 to 0.34.",
                "file": "overlays/1.png",
                "sha256": digest,
                "width_mm": 350.0,
                "legend": "Warm colours: speaks for the target; cold: against; grey: the image itself.",
                "evidence": [],
            },
            {
                "case": "case 2",
                "method": "grad cam",
                "target": "opacity",
                "card": "randomisation act; barred from dossiers: the map does not depend on the model",
                "state": "act",
                "text": "",
            },
        ],
    )
    return replace(made, **changes), summaries, {"overlays/1.png": picture}


def overlay() -> bytes:
    """A drawn chest-like field with a warm region, as an overlay would be stored."""
    y, x = np.mgrid[-1:1:160j, -1:1:160j]
    grey = 0.25 + 0.6 * np.exp(-3 * np.minimum((x - 0.45) ** 2, (x + 0.45) ** 2) - y**2)
    warm = np.exp(-30 * ((x - 0.4) ** 2 + (y + 0.1) ** 2))
    rgb = np.stack([np.clip(grey + 0.6 * warm, 0, 1), grey * (1 - 0.3 * warm), grey * (1 - 0.7 * warm)], axis=-1)
    target = io.BytesIO()
    Image.fromarray((rgb * 255).astype(np.uint8)).save(target, "PNG")
    return target.getvalue()


SUBMISSION = {
    "facts": [
        ["Number", "S-0007"],
        ["Title", "Chest radiograph triage after a change of detector"],
        ["Applicant", "Example Developer"],
        ["Authority", "Example Authority"],
        ["Programme", "EU sandbox (Art. 57)"],
        ["State", "in testing since 2026-02-01"],
    ],
    "question": QUESTION,
    "plan": {
        "facts": [
            ["Revision", "2"],
            ["Frozen", "2026-01-15 10:00 UTC"],
            ["Stop rule", "sensitivity below 0.80 in two windows"],
        ]
    },
    "decisions": [
        {
            "at": "2026-01-20T09:00:00+00:00",
            "old": "under review",
            "new": "accepted",
            "by": "Example Authority",
            "reason": "Plan is sound. Conditions: monthly report (open)",
        }
    ],
    "activities": [
        {
            "at": "2026-02-10T09:00:00+00:00",
            "title": "Question 1 (answered)",
            "by": "Example Authority",
            "text": "How are cases without a label within 30 days counted?",
        },
        {
            "at": "2026-02-14T15:30:00+00:00",
            "title": "Answer to question 1",
            "by": "applicant",
            "text": "They stay out of the performance windows and are listed as delayed.",
        },
        {
            "at": "2026-05-11T10:00:00+00:00",
            "title": "Amendment of the plan, approved",
            "by": "Example Developer",
            "text": "A limit on sensitivity was added after question 1.",
        },
    ],
}
INCIDENTS = [
    {
        "title": "I-0003 Missed pneumothorax in the north wing",
        "aware_at": "2026-03-09T07:40:00+00:00",
        "status": "Investigated",
        "cause": "serious deterioration",
        "duties": ["MDR Art. 87(3) to Example Authority: due 2026-03-24 07:40 UTC, reported 2026-03-12 16:00 UTC, met"],
        "facts": [
            ["Kind", "serious deterioration"],
            ["What happened", "Two large pneumothoraces were ranked last; both were read within the hour."],
            ["From alarm", "4"],
            ["Closed because", "Detector recalibrated, threshold confirmed"],
        ],
    }
]
ALARM = {
    "title": "w1_sd of score at north",
    "signal": "score",
    "stratum": "site=north",
    "stratum_parts": {"site": "north"},
    "window_start": "2026-03-26T00:00:00+00:00",
    "opened_at": "2026-04-02T02:00:00+00:00",
    "windows": 3,
    "status": "Closed",
    "cause": "acquisition changed",
    "notes": [{"at": "2026-04-03T08:00:00+00:00", "by": "Physicist on duty", "text": "New detector since 4 March."}],
}
PLAN = {
    "revision": 2,
    "sha256": "ab" * 32,
    "frozen_at": "2026-01-15T10:00:00+00:00",
    "facts": [["Window", "28 days, disjoint"], ["Seed", "0"]],
    "indicators": [
        ["w1 sd", "numeric", "0.2", "0.5", "190", "yes", "every 28 days"],
        ["sensitivity", "performance", "beyond 0.8", "interval beyond 0.8", "by method", "yes", "every 28 days"],
    ],
}
