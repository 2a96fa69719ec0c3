"""Does it hold elsewhere: results by site with heterogeneity, and under shifts of acquisition."""

from collections import defaultdict
from collections.abc import Iterator

from reporting.dossier import figures, numbers
from reporting.dossier.contents import AnyBlock, Evidence, Heading
from reporting.dossier.sources import SectionPlan, Sources, results


def fill(sources: Sources) -> Iterator[AnyBlock]:
    yield from _sites(sources)
    stress = sources.findings("robustness.acquisition_shift", "robustness.perturbation")
    if stress:
        yield Heading(text="Shifts of acquisition")
        by_quantity: dict[str, list[Evidence]] = defaultdict(list)
        for item in stress:
            by_quantity[item.finding["quantity"]].append(item)
        for place, (quantity, items) in enumerate(sorted(by_quantity.items()), start=1):
            chart = figures.severities(
                items, figure_id=f"F-08-S{place}", title=f"{numbers.words(quantity)} over severities"
            )
            if chart:
                yield chart
        yield from results("Robustness", stress)


def _sites(sources: Sources) -> Iterator[AnyBlock]:
    items = sources.findings("generalizability.multi_site", "generalizability.external", "generalizability.local")
    if not items:
        return
    yield Heading(text="Sites")
    by_quantity: dict[str, list[Evidence]] = defaultdict(list)
    for item in items:
        by_quantity[item.finding["quantity"]].append(item)
    for place, (quantity, members) in enumerate(sorted(by_quantity.items()), start=1):
        rows = [i for i in members if "site" in i.finding["stratum"]]
        newest = max(((i.finding["window"] or {}).get("end", "") for i in rows), default="")
        rows = [i for i in rows if (i.finding["window"] or {}).get("end", "") == newest]
        pooled = next((i for i in items if i.finding["quantity"] == f"pooled_{quantity}"), None)
        if len(rows) > 1 and place <= 8:
            yield figures.forest(rows, pooled, figure_id=f"F-08-{place}", title=f"{numbers.words(quantity)} by site")
    yield from results("By site, and pooled", items)


SECTION = SectionPlan(
    id="08-generalise",
    title="Generalisability and robustness",
    origin="evaluation by site and acquisition, stress tests, local validation records",
    kinds=(
        "generalizability.multi_site",
        "generalizability.external",
        "generalizability.local",
        "robustness.acquisition_shift",
        "robustness.perturbation",
    ),
    owner="the developer and each hospital",
    fill=fill,
)
