"""What monitoring saw: input, prediction and performance told apart, by window and site; periods without data shown."""

from collections.abc import Iterator

from reporting.dossier import figures, numbers
from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sources import SectionPlan, Sources, gap, results

PARTS = (
    ("drift.performance", "Performance", False, "P"),
    ("drift.prediction", "Predictions", True, "O"),
    ("drift.input", "Inputs", True, "I"),
)


def fill(sources: Sources) -> Iterator[AnyBlock]:
    if sources.windows:
        columns = [
            Column("Window", 1.8),
            Column("Cases", 0.8, right=True),
            Column("Revision", 0.8, right=True),
            Column("Computed", 1.4),
            Column("States that went in", 1.4, mono=True),
        ]
        yield Table(
            title="Windows computed under the plan",
            columns=columns,
            rows=[
                [
                    f"{w['start']} to {w['end']}",
                    f"{w['n_cases']:,}" if w["n_cases"] else "no cases",
                    str(w["revision"]),
                    numbers.moment(w["computed_at"]),
                    w["input_sha256"][:16],
                ]
                for w in sources.windows
            ],
        )
    else:
        yield gap("Monitoring windows", "No window was computed in this period.", "the hospital", "monitoring.results")
    if sources.intake:
        yield Facts(title="Deliveries", rows=[[name, value] for name, value in sources.intake["facts"]])
    for kind, title, zero, mark in PARTS:
        items = sources.findings(kind)
        if not items:
            continue
        yield Heading(text=title)
        chosen = [i for i in items if i.finding["quantity"] in ("w1_sd", "chi_square")] if zero else items
        yield from figures.timelines(chosen or items, sources, prefix=f"F-18-{mark}", most=10, zero=zero)
        yield from figures.paths(items, prefix=f"F-18-{mark}S")
        yield from results(f"{title}: every finding of the period, worst first", items)
    volume = sources.findings("monitoring.results")
    if volume:
        yield Heading(text="Volume")
        yield from results("Cases by window and site", volume)
    yield Heading(text="Alarms")
    if sources.alarms:
        columns = [
            Column("Opened", 1.1),
            Column("Alarm", 2.2),
            Column("Windows", 0.7, right=True),
            Column("Status", 0.9),
            Column("Cause", 1.3),
            Column("Evidence", 1, mono=True),
        ]
        yield Table(
            title="Alarms of the period with their outcome",
            columns=columns,
            rows=[
                [
                    numbers.moment(a["opened_at"]),
                    a["title"],
                    str(a["windows"]),
                    a["status"],
                    a["cause"] or "not yet judged",
                    a["evidence"],
                ]
                for a in sources.alarms
            ],
        )
        notes = [[numbers.moment(n["at"]), a["title"], n["by"], n["text"]] for a in sources.alarms for n in a["notes"]]
        if notes:
            columns = [
                Column("Time", 1.1),
                Column("Alarm", 1.5),
                Column("By", 1),
                Column("What was found or decided", 3),
            ]
            yield Table(title="How alarms were handled", columns=columns, rows=notes, open_to="regulator")
    else:
        yield Text(text="No alarm was open in this period.")


SECTION = SectionPlan(
    id="18-monitor-results",
    title="Monitoring results",
    origin="drift jobs, alarm history, deliveries",
    kinds=(
        "drift.input",
        "drift.prediction",
        "drift.performance",
        "monitoring.results",
        "monitoring.alerts",
        "logs.system",
        "generalizability.local",
    ),
    owner="the hospital",
    fill=fill,
)
