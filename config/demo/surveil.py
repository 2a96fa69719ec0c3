"""Months of predictions go in, windows are computed, alarms ask for maps, one alarm becomes an incident."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
from django.core.management import call_command
from django.utils import timezone

from accounts.permissions import Action, require
from accounts.row_security import seeing
from accounts.tokens import issue_token
from assurance.adapters.catalogue import ADAPTERS
from assurance.models import CaseFile, Deployment
from assurance.services.case_files import keep_case_file
from assurance.services.pseudonyms import pseudonym
from assurance.services.weights import weights_path
from config import home
from config.demo import brain_slices, chest_log
from config.demo.cast import Cast
from config.demo.post import send
from monitoring.intake.image_quality import quality_panel
from monitoring.models import Alarm, PredictionBatch
from monitoring.plan import read_plan
from monitoring.services.plans import freeze_plan, plan_of
from monitoring.services.references import reference_of
from monitoring.services.windows import reference_performance
from monitoring.tasks import start_windows
from vigilance.models import Incident
from vigilance.services import open_incident

Tell = Callable[[str], None]
Loop = dict[str, Future[list[brain_slices.Segmented]]]
CLASSIFIER_PLAN = {
    "window_days": chest_log.WINDOW_DAYS, "performance_days": chest_log.WINDOW_DAYS * chest_log.WINDOWS,
    "limits": {"auroc": 0.9}, "maps": {"cases": 0, "methods": []},
}  # fmt: skip
BRAIN_PLAN = {
    "window_days": brain_slices.WINDOW_DAYS, "limits": {"dice": 0.85}, "alarm_on": ["w1_sd", "dice"],
    "maps": {"cases": 1, "most": 1, "methods": ["seg_grad_cam"]},
}  # fmt: skip


def freeze_references(
    cast: Cast, chest: Deployment, brain: Deployment, *, base_url: str, today: date, every: int, tell: Tell
) -> None:
    """Plans and reference sets first: limits are fixed before the first monitored case is seen."""
    _plan(cast, chest, CLASSIFIER_PLAN | {"start": _start(today, chest_log.WINDOW_DAYS, chest_log.WINDOWS)})
    if reference_of(chest) is None:
        rows = chest_log.chest_log(today=today).reference
        path = home.var("demo", "chest-reference.csv")
        _ingest_reference(chest, rows, path, why="624 cases of the official PneumoniaMNIST test split")
    _plan(cast, brain, BRAIN_PLAN | {"start": _start(today, brain_slices.WINDOW_DAYS, brain_slices.WINDOWS)})
    if reference_of(brain) is None:
        slices = brain_slices.deliveries(today=today, every=every)["reference"]
        tell(f"  LiteMedSAM runs on {len(slices)} slices (reference)")
        done = brain_slices.segment(_model(brain), slices, quality=quality_panel)
        _deliver(cast, brain, done, part="reference", base_url=base_url, today=today, tell=tell)
    for deployment in (chest, brain):
        _measure_reference(deployment)


def send_chest(cast: Cast, deployment: Deployment, *, base_url: str, today: date, tell: Tell) -> None:
    """Monitored cases of the log over HTTP, and their truth in a delivery of its own."""
    log = chest_log.chest_log(today=today)
    token = _token(cast, deployment)
    for place, rows in enumerate(_thirds(log.monitored), start=1):
        answer = send(base_url, token, deployment, rows, what="predictions", key=f"demo-chest-{today}-{place}")
        tell(f"  sent {len(rows)} predictions: {answer['accepted']} accepted, {answer['rejected']} refused")
    answer = send(base_url, token, deployment, log.labels, what="labels", key=f"demo-chest-labels-{today}")
    tell(f"  sent {len(log.labels)} labels, which came later: {answer['accepted']} accepted")


@contextmanager
def inference_loop(deployment: Deployment, *, today: date, every: int, tell: Tell) -> Iterator[Loop]:
    """The hospital runs LiteMedSAM on its own slices all the while; what it made is delivered when the plan is agreed.

    Gives what is to be delivered, part by part; parts that an earlier run of the demo delivered are left out.
    """
    parts = {
        part: slices
        for part, slices in brain_slices.deliveries(today=today, every=every).items()
        if part != "reference" and not _delivered(deployment, slices)
    }
    with ThreadPoolExecutor(1) as hospital:
        model = _model(deployment) if parts else None
        for part, slices in parts.items():
            tell(f"  LiteMedSAM runs on {len(slices)} slices ({part}) at the hospital")
        stop = Event()
        try:
            yield {
                part: hospital.submit(brain_slices.segment, model, slices, quality=quality_panel, stopped=stop.is_set)
                for part, slices in parts.items()
            }
        finally:
            stop.set()


def send_brain(
    cast: Cast, deployment: Deployment, loop: Loop, *, base_url: str, today: date, tell: Tell
) -> None:  # fmt: skip
    """Rows over HTTP, images and masks as case files, window by window."""
    for part, segmented in loop.items():
        done = segmented.result()
        tell(f"  {len(done)} slices are delivered ({part})")
        _deliver(cast, deployment, done, part=part, base_url=base_url, today=today, tell=tell)


def _deliver(
    cast: Cast, deployment: Deployment, done: list[brain_slices.Segmented], *, part: str, base_url: str, today: date,
    tell: Tell,
) -> None:  # fmt: skip
    token = _token(cast, deployment)
    _keep_images(deployment, done)
    rows = pd.DataFrame([one.row for one in done])
    if part == "reference":
        path = home.var("demo", "brain-reference.csv")
        _ingest_reference(deployment, rows, path, why="Slices of both scanners before the update (software 5.0)")
    else:
        send(base_url, token, deployment, rows, what="predictions", key=f"demo-brain-{today}-{part}")
    truth = pd.DataFrame([{"case_id": one.slice.case_id, "dice": one.dice} for one in done])
    send(base_url, token, deployment, truth, what="labels", key=f"demo-brain-truth-{today}-{part}")
    tell(f"  {part}: mean Dice {truth['dice'].mean():.3f} over {len(truth)} slices")


def _model(deployment: Deployment) -> Any:
    return ADAPTERS.load(deployment.version.adapter_key)(weights_path(deployment.version))


def _measure_reference(deployment: Deployment) -> None:
    plan, reference = plan_of(deployment), reference_of(deployment)
    assert plan is not None and reference is not None  # noqa: S101 -- both were frozen above
    with seeing([deployment.organisation_id]):
        reference_performance(deployment, reference=reference, plan=read_plan(plan.content))


def compute_windows(deployment: Deployment) -> None:
    with seeing([deployment.organisation_id]):
        start_windows(deployment)


def open_demo_incident(cast: Cast, deployment: Deployment) -> Incident | None:
    """The safety officer judges the worst performance alarm; a second run finds the incident that is there."""
    known = Incident.objects.filter(deployment=deployment).first()
    if known:
        return known
    alarm = (
        Alarm.objects.filter(deployment=deployment, family="performance").order_by("pk").first()
        or Alarm.objects.filter(deployment=deployment).order_by("pk").first()
    )
    if alarm is None:
        return None
    by = require(cast.person("safety"), Action.HANDLE_INCIDENT, deployment)
    return open_incident(
        deployment=deployment, event_kind="serious_incident_other", title=f"Loss of performance: {alarm}",
        description=f"Alarm {alarm.pk} ({alarm}) was judged to concern patients: the outputs at this site cannot be "
        "relied on until the cause is known.",
        aware_at=timezone.now() - timedelta(minutes=1), by=by, time_zone="Europe/Berlin", alarm_id=alarm.pk,
    )  # fmt: skip


def _start(today: date, days: int, windows: int) -> str:
    return (today - timedelta(days=days * windows)).isoformat()


def _plan(cast: Cast, deployment: Deployment, content: dict[str, Any]) -> None:
    by = require(cast.person("qa"), Action.SET_PLAN, deployment)
    freeze_plan(deployment, content, by=by, reason="agreed before the first prediction")


def _token(cast: Cast, deployment: Deployment) -> str:
    if deployment.slug not in cast.tokens:
        _, cast.tokens[deployment.slug] = issue_token(
            organisation=cast.hospital, person=cast.person("qa"), name=f"demo sender of {deployment.slug}",
            verbs=["send_predictions", "see"], days=1, deployment_id=deployment.pk,
        )  # fmt: skip
    return cast.tokens[deployment.slug]


def _ingest_reference(deployment: Deployment, rows: pd.DataFrame, path: Path, *, why: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False)
    call_command("ingest", deployment.slug, str(path), reference=why, stdout=io.StringIO(), stderr=io.StringIO())


def _thirds(rows: pd.DataFrame) -> list[pd.DataFrame]:
    ordered = rows.sort_values("study_time")
    size = -(-len(ordered) // 3)
    return [ordered.iloc[at : at + size] for at in range(0, len(ordered), size)]


def _delivered(deployment: Deployment, slices: list[brain_slices.Slice]) -> bool:
    last = pseudonym(deployment.organisation_id, slices[-1].case_id)
    with seeing([deployment.organisation_id]):
        images = CaseFile.objects.filter(deployment=deployment, case=last, role=CaseFile.Role.TRUTH).exists()
        rows = PredictionBatch.objects.filter(deployment=deployment, accepted__gte=len(slices)).exists()
    return images and rows


def _keep_images(deployment: Deployment, done: list[brain_slices.Segmented]) -> None:
    with seeing([deployment.organisation_id]):
        for one in done:
            case = pseudonym(deployment.organisation_id, one.slice.case_id)
            facts = {
                "spacing_mm": list(brain_slices.SPACING_MM), "box": list(one.slice.box), "patient": "mni152",
                "site": one.slice.scanner, "study_time": one.slice.study_time.isoformat(), "dice": one.dice,
                "software": one.slice.software,
            }  # fmt: skip
            files = (("image", one.slice.image), ("truth", one.slice.truth), ("output", one.mask))
            for role, values in files:
                stored = values.astype("float32") if role == "image" else values.astype("uint8")
                keep_case_file(deployment, case=case, role=role, values=stored, facts=facts)
