"""Results overall, at operating points and by subgroup: value, interval, n and state for each."""

from collections.abc import Iterator

from reporting.dossier import figures
from reporting.dossier.contents import AnyBlock, Figure, Heading, Text
from reporting.dossier.sources import SectionPlan, Sources, results


def fill(sources: Sources) -> Iterator[AnyBlock]:
    whole = sources.findings("performance.overall")
    points = sources.findings("performance.operating_points")
    if whole or points:
        yield Heading(text="All cases")
        yield from results("Performance over all labelled cases", whole)
        yield from results(
            "At the operating point in use",
            points,
            note="Numerator, denominator and threshold stand in the twin, under details.",
        )
    if sources.roc:
        for place, curve in enumerate(sources.roc, start=1):
            # A curve of few cases has a step for each of them, so the public sees only curves that were thinned.
            thinned = all(len(one["points"]) >= 200 for one in curve["data"]["curves"])
            yield Figure(
                id=f"F-07-{place}",
                chart="roc",
                title=curve["title"],
                text=curve["text"],
                data=curve["data"],
                evidence=curve["evidence"],
                open_to="public" if thinned else "regulator",
            )
    yield from figures.paths(whole, prefix="F-07-S")
    groups = sources.findings("performance.subgroup")
    if groups:
        yield Heading(text="Subgroups")
        yield Text(
            text="Groups are printed with their size. A group with fewer events than the method needs is "
            "marked insufficient; “no difference found” is not claimed."
        )
        overall = next((i for i in whole if i.finding["quantity"] == "auroc"), None)
        line = overall.finding["value"] if overall else None
        chart = figures.gaps(
            [i for i in groups if i.finding["quantity"] == "auroc"] or groups,
            figure_id="F-07-G",
            title="AUROC by subgroup",
            line=line,
        )
        if chart:
            yield chart
        yield from results("By subgroup", groups)
    realised = sources.findings("drift.performance")
    if realised:
        yield Heading(text="Realised performance over time")
        yield from figures.timelines(realised, sources, prefix="F-07-T", most=4, zero=False)
        yield Text(text="The windows behind these curves are listed in section 18.")


SECTION = SectionPlan(
    id="07-performance",
    title="Results: overall, operating points, subgroups, failures",
    origin="evaluation of labelled cases, subgroup tables",
    kinds=(
        "performance.overall",
        "performance.subgroup",
        "performance.operating_points",
        "performance.precision",
        "performance.failure_analysis",
        "performance.comparator",
    ),
    owner="the developer",
    fill=fill,
)
