"""The demo life from its first organisation to a verified dossier. Each step can be taken again without harm."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from accounts.models import Organisation
from accounts.permissions import Action, require
from accounts.row_security import see_everything
from assurance.evidence.errors import NotComputable
from assurance.models import Deployment
from config.demo import brain_slices, file_submission, register, surveil, telling
from config.demo.cast import ORGANISATIONS, Cast, Login, assemble, forget_logins, secrets_file
from config.demo.codes import Codes
from config.demo.dossiers import build_and_verify
from config.demo.jobs import failed_jobs, wait_for_jobs
from config.supervisor import Supervisor, say
from explainability.services.explanations import ask_explanation
from generalizability.services import cases_with_truth, pool_sites
from generalizability.tasks import start_robustness
from monitoring.models import Alarm
from monitoring.selectors.cases import farthest_cases

JOB_LIMIT_S = 1500
Tell = Callable[[str], None]


@dataclass
class Outcome:
    """What ``vigil demo`` prints at the end."""

    lines: list[str] = field(default_factory=list)
    logins: list[Login] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    verified: bool = False
    failed: list[str] = field(default_factory=list)


def live(supervisor: Supervisor, *, base_url: str, every: int | None = None, tell: Tell = say) -> Outcome:
    """``every`` is the step between brain slices in mm. Raises when a step is refused; jobs that failed are told."""
    every = every or brain_slices.EVERY
    see_everything()
    began = time.monotonic()
    today = datetime.now(UTC).date()

    def step(text: str) -> None:
        tell(f"[{time.monotonic() - began:5.0f} s] {text}")

    step("organisations, people and roles")
    cast = assemble()
    codes = Codes(cast)
    step("models, versions with hashed weights, deployments")
    versions = register.register_models(cast)
    deployments = register.register_deployments(cast, versions)
    chest, brain = deployments[register.CLASSIFIER], deployments[register.BRAIN]
    step("reference sets: 624 logged cases; LiteMedSAM on reference slices of both scanners")
    surveil.freeze_references(cast, chest, brain, base_url=base_url, today=today, every=every, tell=tell)
    step("months of the classifier's predictions over HTTP, the truth later")
    surveil.send_chest(cast, chest, base_url=base_url, today=today, tell=tell)
    surveil.compute_windows(chest)
    step("card, submission, assessment, plan and signatures")
    with surveil.inference_loop(brain, today=today, every=every, tell=tell) as loop:
        submission = file_submission.bring_to_active(
            cast, codes, version=versions["brain"], deployment=brain, today=today, tell=tell
        )
        step("the plan is agreed: deliveries of both scanners, before and after the update")
        surveil.send_brain(cast, brain, loop, base_url=base_url, today=today, tell=tell)
    surveil.compute_windows(brain)
    wait_for_jobs(
        supervisor, what="windows and alarms", limit_s=JOB_LIMIT_S, tell=tell, queues=("ingest", "statistics")
    )
    step("an alarm's case explained once more, sites pooled, robustness measured")
    _further(cast, deployments, every=every, tell=tell)
    wait_for_jobs(supervisor, what="maps and robustness", limit_s=JOB_LIMIT_S, tell=tell)
    incidents = [surveil.open_demo_incident(cast, chest), surveil.open_demo_incident(cast, brain)]
    step("dossiers: built, signed, verified offline")
    verified, files, told = build_and_verify(
        cast, codes, submission=submission, chest=chest, today=today, wait=lambda: wait_for_jobs(
            supervisor, what="dossiers", limit_s=JOB_LIMIT_S, tell=tell)
    )  # fmt: skip
    lines = [line for deployment in (chest, brain) for line in telling.told(deployment)]
    for incident in incidents:
        if incident:
            lines += telling.incident(incident)
    lines += told
    outcome = Outcome(lines, list(cast.logins.values()), files, verified, failed_jobs())
    step("done")
    forget_logins()
    return outcome


def _further(cast: Cast, deployments: dict[str, Deployment], *, every: int, tell: Tell) -> None:
    chest, brain = deployments[register.CLASSIFIER], deployments[register.BRAIN]
    by = require(cast.person("qa"), Action.ASK_EXPLANATION, brain)
    alarm = Alarm.objects.filter(deployment=brain).order_by("pk").first()
    cases = farthest_cases(alarm, most=1) if alarm else cases_with_truth(brain, most=1)
    quick = every > brain_slices.EVERY
    steps = 4 if quick else 8  # a gradient takes seconds here; what a short path leaves is told
    path = {"baseline": "blurred", "steps": steps, "most_steps": steps, "effort": "brief"}
    for case in cases:
        ask_explanation(
            brain, case=case, method="integrated_gradients", parameters=path,
            origin=f"alarm:{alarm.pk}" if alarm else "person", by=by,
        )  # fmt: skip
    start_robustness(
        brain, kinds=["rician_noise", "bias_field"], severities=[1, 3, 5], cases=1 if quick else 2, by=by,
    )  # fmt: skip
    for deployment, quantity in ((chest, "auroc"), (brain, "dice")):
        try:
            pool_sites(deployment, quantity=quantity)
        except NotComputable as reason:
            tell(f"  sites of {deployment} are not pooled: {reason.message}")


def already_lived() -> bool:
    """True when an earlier run came to its end: its secrets are forgotten and its people exist."""
    return not secrets_file().exists() and Organisation.objects.filter(slug=ORGANISATIONS[0][0]).exists()
