"""Freezing a monitoring plan: from now on windows are computed and judged by it."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from assurance.models import Deployment
from monitoring.models import MonitoringPlan
from monitoring.plan import plan_content, read_plan
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event


@transaction.atomic
def freeze_plan(deployment: Deployment, content: Mapping[str, Any], *, by: Actor, reason: str = "") -> MonitoringPlan:
    """Store the next revision. The same content again is the plan in force, not a new one."""
    whole = plan_content(read_plan(content))
    sha256 = content_hash(whole)
    Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    before = plan_of(deployment)
    if before is not None and before.sha256 == sha256:
        return before
    plan = MonitoringPlan.objects.create(
        deployment=deployment, revision=before.revision + 1 if before else 1, content=whole, sha256=sha256
    )
    record_event(
        action="plan.freeze", subject=plan, by=by, reason=reason, old=before.content if before else None,
        new={**whole, "sha256": sha256},
    )  # fmt: skip
    return plan


def plan_of(deployment: Deployment) -> MonitoringPlan | None:
    return MonitoringPlan.objects.filter(deployment=deployment).order_by("-revision").first()
