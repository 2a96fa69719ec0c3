"""Every act of a submission's workspace by its name: a page and the HTTP interface offer the same ones."""

from collections.abc import Callable

from assurance.acts import asking, ending, filing, planning
from assurance.acts.reading import Asked, Asking
from assurance.models import Submission

ACTS: dict[str, Callable[[Submission, Asking], str]] = {
    act.__name__: act
    for act in (
        filing.move, filing.declare, filing.add_evidence, filing.withdraw_evidence, filing.not_applicable,
        planning.save_plan, planning.freeze_plan, planning.sign_plan, planning.commit_site, planning.propose_change,
        planning.agree_change, planning.reject_change, planning.plan_test, planning.move_test, planning.extend_test,
        asking.ask, asking.answer, asking.settle_request, asking.assess, asking.decide, asking.meet_condition,
        asking.remark, ending.propose_suspension, ending.set_aside, ending.write_paper, ending.share_paper,
        ending.comment_paper, ending.ask_publication, ending.agree_publication, ending.decline_publication,
        ending.lodge_appeal, ending.settle_appeal, ending.end_access,
    )
}  # fmt: skip

__all__ = ["ACTS", "Asked", "Asking"]
