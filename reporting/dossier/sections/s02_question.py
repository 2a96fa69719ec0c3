"""The regulatory question, the application and the plan with its limits and stop rules."""

from collections.abc import Iterator

from reporting.dossier import numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    submission = sources.need("submission", "Regulatory question and sandbox application")
    yield Facts(title="Submission", rows=[[name, value] for name, value in submission["facts"] if value])
    if submission.get("question"):
        yield Heading(text="The question")
        yield Text(text=submission["question"])
    plan = submission.get("plan")
    if plan:
        yield Heading(text="Sandbox plan")
        yield Facts(rows=[[name, value] for name, value in plan["facts"]])
    if submission.get("decisions"):
        columns = [
            Column("Date", 1),
            Column("From", 1.2),
            Column("To", 1.2),
            Column("By", 1.4),
            Column("Reason or condition", 3),
        ]
        yield Table(
            title="Decisions of the authority and states of the submission",
            columns=columns,
            rows=[[numbers.moment(d["at"]), d["old"], d["new"], d["by"], d["reason"]] for d in submission["decisions"]],
        )


SECTION = SectionPlan(
    id="02-question",
    title="Regulatory question, sandbox application and plan",
    origin="submission workspace, authority decisions, plan versions and amendments",
    kinds=("sandbox.application", "sandbox.plan", "sandbox.decision", "ethics.approval"),
    owner="the applicant",
    fill=fill,
)
