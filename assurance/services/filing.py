"""Filing evidence in a submission: bound by hash to a Finding, a file, a card revision or words, or a reason."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import Artefact, CardRevision, EvidenceItem, FindingRecord, InformationRequest, Submission
from assurance.services.submission_sides import locked, require_side, side_of
from records.actor import SYSTEM, Actor
from records.canonical import content_hash
from records.services import record_event

HOSPITAL_KINDS = ("generalizability.local", "drift.", "monitoring.", "incident.", "capa.", "complaint.", "logs.system")


@transaction.atomic
def add_evidence(
    submission: Submission, *, kind: str, by: Actor, finding: FindingRecord | None = None,
    artefact: Artefact | None = None, card_revision: CardRevision | None = None, text: str = "", title: str = "",
    standing: str = "present", reason: str = "", request: InformationRequest | None = None, confidential: bool = False,
) -> EvidenceItem:  # fmt: skip
    """File one piece of evidence, bound by hash: a Finding, a file, a card revision or words; or say why there is none.

    Raises
    ------
    InvalidInput
        ``unknown_kind``, ``not_now`` (the state takes no such evidence), ``one_source``, ``computed_kind`` (words alone
        cannot prove a computed value), ``reason_missing``, ``not_asked``.
    PermissionDenied
        Who files it stands on no side that may.
    """
    submission = locked(submission)
    entry = regulation.catalogue().kind(kind)
    _check_may_file(submission, kind, by, request)
    sources = [source for source in (finding, artefact, card_revision, text.strip() or None) if source]
    if standing not in EvidenceItem.Standing.values:
        raise InvalidInput("unknown_standing", f"standing {standing!r}: {', '.join(EvidenceItem.Standing.values)}")
    if standing != EvidenceItem.Standing.PRESENT:
        if not reason.strip() or sources:
            raise InvalidInput(
                "reason_missing", f"{kind} is {standing.replace('_', ' ')}: give the reason, nothing else"
            )
    elif len(sources) != 1:
        raise InvalidInput("one_source", f"{kind}: give one of finding, artefact, card_revision or text")
    elif entry.computed and text:
        raise InvalidInput(
            "computed_kind", f"{kind} is computed: link a Finding or a signed report, words do not prove it"
        )
    _check_belongs(submission, finding, artefact, card_revision)
    item = EvidenceItem.objects.create(
        submission=submission, kind=kind, standing=standing, finding=finding, artefact=artefact,
        card_revision=card_revision, text=text.strip(), reason=reason.strip(), request=request,
        title=(title or _title(finding, artefact, card_revision, entry.title))[:200], confidential=confidential,
        sha256=_hash_of(finding, artefact, card_revision, text.strip() or reason.strip()), author_id=by.person_id,
        added_in=submission.state,
    )  # fmt: skip
    record_event(
        action="submission.add_evidence", subject=submission, by=by, reason=reason,
        new={"kind": kind, "sha256": item.sha256, "standing": standing, "item": item.pk},
    )  # fmt: skip
    return item


@transaction.atomic
def withdraw_evidence(item: EvidenceItem, *, by: Actor, reason: str) -> None:
    """Take evidence back while its file is a draft; it stays in the trail."""
    submission = locked(item.submission)
    require_side(submission, by, "developer")
    if submission.state != "draft":
        raise InvalidInput(
            "not_now", f"{submission.label} is {submission.state}: evidence is taken back in a draft only"
        )
    EvidenceItem.objects.filter(pk=item.pk, withdrawn_at=None).update(withdrawn_at=timezone.now())
    record_event(
        action="submission.withdraw_evidence", subject=submission, by=by, reason=reason, old={"sha256": item.sha256}
    )


def _check_may_file(submission: Submission, kind: str, by: Actor, request: InformationRequest | None) -> None:
    state = regulation.machine().states[submission.state]
    if by != SYSTEM:
        side = side_of(submission, by)
        if side == "regulator":
            raise PermissionDenied(
                "the regulator writes questions, assessments and decisions, not the applicant's evidence"
            )
        if side == "hospital" and not kind.startswith(HOSPITAL_KINDS):
            raise PermissionDenied(f"a hospital gives local results and incidents, not {kind}")
    if state.asked:
        if request is None or request.submission_id != submission.pk or not request.waiting:
            raise InvalidInput("not_asked", "only what an open question asks for may be added now: name the question")
    elif state.accepts is not None and kind not in state.accepts:
        allowed = ", ".join(sorted(state.accepts)) or "nothing"
        raise InvalidInput("not_now", f"{submission.label} is {state.title.lower()}: it takes {allowed}, not {kind}")


def _check_belongs(
    submission: Submission, finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None
) -> None:
    if revision is not None and revision.card.version_id != submission.version_id:
        raise InvalidInput("other_version", f"{revision} describes another version than {submission.version}")
    if finding is not None:
        theirs = finding.deployment and finding.deployment.version.model_id != submission.version.model_id
        if theirs or (finding.version and finding.version.model_id != submission.version.model_id):
            raise InvalidInput("other_model", f"Finding {finding.evidence_id} is about another model")
    parties = {submission.organisation_id, *submission.deployments.values_list("organisation_id", flat=True)}
    if artefact is not None and artefact.organisation_id not in parties:
        raise InvalidInput("other_file", f"file {artefact} belongs to an organisation outside this submission")


def _title(
    finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None, default: str
) -> str:
    if finding:
        place = " · ".join(part for part in (finding.signal, finding.stratum) if part)
        return f"{finding.quantity} {place}".strip()
    if artefact:
        return artefact.description or f"File {artefact}"
    return str(revision) if revision else default


def _hash_of(
    finding: FindingRecord | None, artefact: Artefact | None, revision: CardRevision | None, words: str
) -> str:
    if finding:
        return finding.digest
    if artefact:
        return artefact.sha256
    return revision.sha256 if revision else content_hash(words)
