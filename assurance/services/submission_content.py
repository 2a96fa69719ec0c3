"""What the signature of each step is bound to, so that anybody can take the hash again."""

from typing import Any

from assurance.services.submission_guards import Case
from records.canonical import content_hash

ON_SNAPSHOT = ("t02", "t04", "t09")


def bound_sha256(case: Case, *, reason: str) -> str:
    """What the signature of the step is given over: the snapshot itself, or what the step adds to it."""
    if case.transition.id in ON_SNAPSHOT:
        return case.submission.snapshot_sha256
    return content_hash(bound_content(case, reason=reason))


def bound_content(case: Case, *, reason: str) -> dict[str, Any]:
    """What a step adds to the snapshot under its signature: one changed byte and the signature covers nothing."""
    submission, step = case.submission, case.transition.id
    snapshot = {"snapshot_sha256": submission.snapshot_sha256}
    if step == "t06":
        facts = submission.facts
        return {"submission": str(submission.pk), **snapshot, "terms": facts["terms"],
                "confidentiality": facts["confidentiality"]}  # fmt: skip
    if step in ("t12", "t13"):
        return {"submission": str(submission.pk), "requests": [
            {"number": r.number, "question": r.question, "answers": [a.text for a in r.answers.order_by("pk")],
             "evidence": list(r.evidence.order_by("pk").values_list("sha256", flat=True))}
            for r in submission.requests.filter(status="answered").order_by("number")
        ]}  # fmt: skip
    if step == "t17":
        return {"submission": str(submission.pk), "plan_sha256": case.plan.sha256 if case.plan else ""}
    if step in ("t24", "t25"):
        papers = submission.exit_papers.order_by("pk")
        return {"submission": str(submission.pk), "papers": [
            {"kind": p.kind, "sha256": p.sha256, "comment": p.comment} for p in papers
        ], "evidence": sorted(piece.sha256 for pieces in case.evidence.values() for piece in pieces
                              if piece.kind not in ("audit_trail", "signature"))}  # fmt: skip
    decision = case.decision()
    if decision is not None:
        return decision.content()
    return {"submission": str(submission.pk), "transition": step, "reason": reason, **snapshot}
