"""The queue's door: one explanation, or the exemplar cases of an alarm."""

from __future__ import annotations

from assurance.evidence.errors import InvalidInput
from assurance.jobs import job_task, report_progress
from assurance.models import Deployment, Job
from explainability.attribution.catalogue import methods_for
from explainability.models import Explanation
from explainability.services.cards import store_cards
from explainability.services.explanations import EXPLAIN_ONE, ask_explanation, compute_explanation
from records.actor import Actor


@job_task(EXPLAIN_ONE)
def explain_one(job: Job, explanation_id: str) -> None:
    from explainability.services.loaded_models import LoadedModels

    explanation = Explanation.objects.select_related("deployment", "version__model").get(pk=explanation_id)
    steps = Steps(job, of=20)
    compute_explanation(explanation, models=LoadedModels(), job=job, progress=steps)
    store_cards(explanation.deployment, version=explanation.version, methods=[explanation.method])
    steps.end()


@job_task("explainability.explain_cases")
def explain_cases(job: Job, deployment_id: str, alarm_id: int, cases: list[str], methods: list[str]) -> None:
    """Each case by each method that suits the model's task; what is done already is not done again."""
    from explainability.services.loaded_models import LoadedModels

    deployment = Deployment.objects.select_related("version__model").get(pk=deployment_id)
    keys = methods_for(deployment.version.model.task, methods)
    by = Actor(person_id=None, organisation_id=deployment.organisation_id, role="system")
    models = LoadedModels()
    steps = Steps(job, of=20 * len(cases) * len(keys))
    for case in cases:
        for method in keys:
            steps.title = f"{case[:12]}, {method}"
            try:
                asked = ask_explanation(
                    deployment, case=case, method=method, origin=f"alarm:{alarm_id}", by=by, start=False
                )
            except InvalidInput as refusal:  # one case without an image must not stop the others
                steps(refusal.message)
                continue
            compute_explanation(asked, models=models, job=job, progress=steps)
            steps.round_up(20)
    store_cards(deployment, version=deployment.version, methods=keys)
    steps.end()


class Steps:
    """Progress of a job in steps; each raises ``Cancelled`` once a person has stopped the job."""

    def __init__(self, job: Job, *, of: int) -> None:
        self.job, self.of, self.done, self.title = job, max(of, 1), 0, ""

    def __call__(self, step: str) -> None:
        self.done = min(self.done + 1, self.of)
        report_progress(self.job, done=self.done, of=self.of, step=f"{self.title}: {step}" if self.title else step)

    def round_up(self, to: int) -> None:
        self.done = min(-(-self.done // to) * to, self.of)

    def end(self) -> None:
        report_progress(self.job, done=self.of, of=self.of, step="done")
