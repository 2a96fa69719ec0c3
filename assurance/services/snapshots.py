"""The frozen content of a submission: what its signatures are bound to."""

from typing import Any

from assurance import regulation
from assurance.models import ModelVersion, Submission
from assurance.requirements.coverage import Evidence, by_kind
from assurance.selectors.cards import latest_revision
from assurance.selectors.evidence import current_plan, filed, from_card
from records.canonical import content_hash

FORMAT = 1


def build_snapshot(submission: Submission) -> dict[str, Any]:
    """Everything that a reader of the file relies on, in plain values, with the SHA-256 of each part.

    Built from the working state: the newest card revision and what is on file now. Stale evidence is in it under the
    standing that it has, so a snapshot never claims more than there is.
    """
    working = Submission(pk=submission.pk, version=submission.version, snapshot=None)
    revision = latest_revision(submission.version)
    plan = current_plan(submission)
    pieces = [*filed(submission), *from_card(working)]
    return {
        "format": FORMAT,
        "submission": {
            "id": str(submission.pk), "number": submission.number, "title": submission.title,
            "organisation": submission.organisation.name, "regulator": submission.regulator.name,
            "profile": submission.profile, "profile_sha256": content_hash(submission.profile_terms),
            "facts": {key: value for key, value in submission.facts.items() if key not in SIGNED_WITH_SUBMISSION},
        },
        "version": version_content(submission.version),
        "deployments": [
            {"id": str(d.pk), "name": d.name, "organisation": d.organisation.name,
             "sites": sorted(d.sites.values_list("code", flat=True))}
            for d in submission.deployments.select_related("organisation").order_by("slug")
        ],
        "card": {"revision": revision.number, "sha256": revision.sha256, "answers": revision.answers}
        if revision else None,
        "plan": {"revision": plan.revision, "sha256": plan.sha256, "content": plan.content} if plan else None,
        "evidence": [
            {"kind": p.kind, "title": p.title, "sha256": p.sha256, "standing": p.standing, "reason": p.reason,
             "id": p.id}
            for p in sorted(pieces, key=lambda p: (p.kind, p.id))
        ],
        "gaps": open_gaps(pieces),
        "catalogue_sha256": catalogue_sha256(),
    }  # fmt: skip


SIGNED_WITH_SUBMISSION = ("terms", "confidentiality")  # given and signed at t06, over the snapshot


def version_content(version: ModelVersion) -> dict[str, Any]:
    """A version as its hashes name it, down its whole lineage."""
    return {
        "model": version.model.name, "version": version.version, "kind": version.model.kind,
        "adapter_key": version.adapter_key, "weights_sha256": version.weights_sha256,
        "preprocessing_sha256": version.preprocessing_sha256, "thresholds_sha256": version.thresholds_sha256,
        "container_digest": version.container_digest, "licence": version.licence,
        "base": version_content(version.base) if version.base else None,
    }  # fmt: skip


def open_gaps(pieces: list[Evidence]) -> dict[str, Any]:
    """Blocking parts without evidence or reason, warnings likewise, and what is absent with its reason."""
    evidence = by_kind(pieces)
    blocking: list[dict[str, str]] = []
    reasoned: list[dict[str, str]] = []
    warnings: list[str] = []
    for kind, title in regulation.blocking_kinds().items():
        held = evidence.get(kind, [])
        if kind == "model_card.identity" or any(piece.serves for piece in held):
            continue
        reasons = [p.reason for p in held if p.standing in ("not_available", "not_applicable") and p.reason]
        entry = {"kind": kind, "title": title, "reason": "; ".join(reasons)}
        (reasoned if reasons else blocking).append(entry)
    blocking += synthetic_gap(evidence)
    for kind in regulation.warning_kinds():
        if not any(piece.serves for piece in evidence.get(kind, [])):
            warnings.append(kind)
    return {"blocking": blocking, "warnings": warnings, "reasoned": reasoned}


def synthetic_gap(evidence: dict[str, list[Evidence]]) -> list[dict[str, str]]:
    """Synthetic-data tests block once synthetic data are used at all: half of the pair is not enough."""
    kinds = ("synthetic_data.quality", "synthetic_data.privacy")
    used = [kind for kind in kinds if evidence.get(kind)]
    return [
        {"kind": kind, "title": "tests of the synthetic data that are used", "reason": ""}
        for kind in kinds
        if used and not any(piece.serves or piece.standing == "not_applicable" for piece in evidence.get(kind, []))
    ]


def catalogue_sha256() -> str:
    catalogue = regulation.catalogue()
    return content_hash(
        {f.id: [[r.id, list(r.evidence), r.verified] for r in f.requirements] for f in catalogue.frameworks.values()}
    )
