"""Steps that the instance takes by itself when their time has come, and reminders of overdue answers."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from assurance.models import EvidenceItem, InformationRequest, Submission
from assurance.regulation import machine, retention_rule
from assurance.services.proceedings import warn
from assurance.services.real_world_tests import end_due_tests
from assurance.services.submission_guards import case_of, missing_for
from assurance.services.submission_steps import move_submission
from assurance.services.suspension_triggers import raise_due_proposals
from records.actor import SYSTEM
from records.canonical import content_hash
from records.services import record_event

BETWEEN_WARNINGS = timedelta(days=7)


def take_due_steps() -> list[str]:
    """Take every step of the system whose guards are met. Safe to call at any time; returns what was done."""
    done = []
    for request in InformationRequest.objects.filter(
        Q(warned_at=None) | Q(warned_at__lt=timezone.now() - BETWEEN_WARNINGS),
        status__in=("open", "reopened"), due_at__lt=timezone.now(), warnings__lt=2,
        submission__state="information_requested",
    ):  # fmt: skip
        warn(request, by=SYSTEM)
        done.append(f"warned: {request}")
    done += [f"ended: {test}" for test in end_due_tests(now=timezone.now())]
    done += [f"proposed: {proposal}" for proposal in raise_due_proposals()]
    steps = [step for step in machine().transitions.values() if step.by_system]
    for submission in Submission.objects.filter(state__in={state for step in steps for state in step.sources}):
        if submission.state in ("exited", "refused", "withdrawn"):
            note_retention(submission)
        for step in machine().from_state(submission.state):
            if step.by_system and not missing_for(case_of(submission, step, None, timezone.now())):
                move_submission(submission, transition=step.id)
                done.append(f"{step.id}: {submission}")
                break
    return done


def note_retention(submission: Submission) -> None:
    """Write down once how long the file is kept, by the longest rule of the catalogue that names technical papers."""
    if submission.evidence.filter(kind="record_retention").exists():
        return
    rule = retention_rule()
    text = f"Kept {rule['min_years']} years ({rule['ref']}, counted from: {rule['clock_starts'].replace('_', ' ')})."
    EvidenceItem.objects.create(
        submission=submission, kind="record_retention", title="Retention of the file", text=text,
        sha256=content_hash(text), added_in=submission.state,
    )  # fmt: skip
    record_event(action="submission.retention", subject=submission, by=SYSTEM, new={"rule": rule["id"], "text": text})
