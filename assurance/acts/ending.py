"""Acts at and around the end: proposals to suspend, exit papers, publication, appeals."""

from datetime import UTC, datetime, time

from assurance.acts.reading import APPROVER, ASSESSOR, AUTHOR, DECIDER, Asking, by_of, day_of, named, signing
from assurance.models import Submission
from assurance.services import endings
from assurance.services.regulator_access import end_regulator_access


def propose_suspension(submission: Submission, request: Asking) -> str:
    endings.propose_suspension(
        submission, trigger=request.POST.get("trigger", "person"), reason=request.POST.get("reason", ""),
        by=by_of(submission, request),
    )  # fmt: skip
    return "The proposal is raised; a decider settles it."


def set_aside(submission: Submission, request: Asking) -> str:
    proposal = named(submission.suspension_proposals, request, "proposal")
    endings.set_aside(proposal, reason=request.POST.get("reason", ""), by=by_of(submission, request, DECIDER))
    return "The proposal is set aside."


def write_paper(submission: Submission, request: Asking) -> str:
    kind = request.POST.get("kind", "")
    names = ("objective", "criterion", "activities", "results", "questions", "suspensions", "incidents", "lessons",
             "conclusion")  # fmt: skip
    content = {name: request.POST[name] for name in names if request.POST.get(name)}
    paper = endings.write_exit_paper(submission, kind=kind, content=content, by=by_of(submission, request))
    return f"{paper.get_kind_display()} is kept."


def share_paper(submission: Submission, request: Asking) -> str:
    paper = named(submission.exit_papers, request, "paper")
    endings.share_exit_paper(paper, by=by_of(submission, request, ASSESSOR, DECIDER))
    return "The participant can read it and comment."


def comment_paper(submission: Submission, request: Asking) -> str:
    paper = named(submission.exit_papers, request, "paper")
    endings.comment_exit_paper(
        paper, comment=request.POST.get("comment", ""), by=by_of(submission, request, APPROVER, AUTHOR)
    )
    return "The comment is kept with the document."


def ask_publication(submission: Submission, request: Asking) -> str:
    endings.ask_publication(
        submission, redacted=request.POST.get("redacted", ""), by=by_of(submission, request, ASSESSOR, DECIDER)
    )
    return "Both sides are asked."


def agree_publication(submission: Submission, request: Asking) -> str:
    found = endings.agree_publication(submission.publication, **signing(request))
    return f"Publication: {found.get_status_display().lower()}."


def decline_publication(submission: Submission, request: Asking) -> str:
    endings.decline_publication(
        submission, reason=request.POST.get("reason", ""), by=by_of(submission, request, APPROVER, DECIDER)
    )
    return "Nothing is published."


def lodge_appeal(submission: Submission, request: Asking) -> str:
    endings.lodge_appeal(submission, reasons=request.POST.get("reason", ""), by=by_of(submission, request, APPROVER))
    return "The appeal is lodged."


def settle_appeal(submission: Submission, request: Asking) -> str:
    appeal = named(submission.appeals, request, "appeal")
    upheld = request.POST.get("upheld") == "1"
    endings.settle_appeal(
        appeal, upheld=upheld, reason=request.POST.get("reason", ""), by=by_of(submission, request, DECIDER)
    )
    return "The appeal is upheld." if upheld else "The appeal is dismissed."


def end_access(submission: Submission, request: Asking) -> str:
    until = datetime.combine(day_of(request, "until"), time(23, 59, 59), UTC)
    end_regulator_access(
        submission, until=until, by=by_of(submission, request, DECIDER), reason=request.POST.get("reason", "")
    )
    return f"The authority's access ends on {until:%Y-%m-%d} at the end of the day (UTC)."
