"""Sources in, frozen contents out: sections in order, gaps gathered, the banner computed, the audience's cut made
last."""

from __future__ import annotations

from reporting.dossier.contents import Banner, Contents, Section
from reporting.dossier.redaction import redacted
from reporting.dossier.sections import s22_gaps
from reporting.dossier.sections.catalogue import sections
from reporting.dossier.sections.shared import filled
from reporting.dossier.sources import Sources, counted, place

INTENDED_SIGNERS = (
    ("Sealed by the instance", "Origin and integrity: this file was made by this instance from its records."),
    ("Author", "Authorship: the contents are complete to my knowledge."),
    ("Approver", "Approval for release to the named audience."),
    ("Authority", "Receipt, or the outcome of an assessment."),
)


def assemble(sources: Sources, *, salt: str) -> Contents:
    """The contents for ``sources.identity.audience``. ``salt`` keeps hashes of removed parts from being guessed."""
    made = [
        Section(id=plan.id, title=plan.title, origin=plan.origin, kinds=list(plan.kinds), blocks=filled(plan, sources))
        for plan in sections()
    ]
    contents = Contents(
        identity=sources.identity,
        banner=banner(sources, made),
        sections=made,
        evidence={item.id: item for item in sorted(sources.evidence, key=place)},
        signers=[{"title": title, "meaning": meaning} for title, meaning in INTENDED_SIGNERS],
        files=dict(sorted(sources.files.items())),
        redaction={},
    )
    contents = redacted(contents, salt=salt)
    next(s for s in contents.sections if s.id == "22-gaps").blocks.append(s22_gaps.gap_table(contents.sections))
    return contents


def banner(sources: Sources, made: list[Section]) -> Banner:
    states = counted(sources.evidence)
    ranked = ("act", "watch", "insufficient", "ok")
    worst = next((state for state in ranked if states.get(state)), "insufficient")
    if worst == "insufficient" and states.get("ok"):
        worst = "ok" if states["ok"] > states["insufficient"] else "insufficient"
    newest = sorted(
        (item for item in sources.evidence if item.finding["state"] in ("act", "watch")),
        key=lambda item: (_weight(item.kind), (item.finding.get("window") or {}).get("end", ""), item.id),
        reverse=True,
    )
    notices = []
    if not sources.evidence:
        notices.append("No finding lies in this period: nothing was measured.")
    if sources.plan is None and sources.deployment is not None:
        notices.append("No monitoring plan is frozen: nothing decides when somebody is called.")
    return Banner(
        state=worst,
        states={state: states.get(state, 0) for state in ranked},
        failed=[item.id for item in newest if item.finding["state"] == "act"],
        watched=[item.id for item in newest if item.finding["state"] == "watch"],
        n_gaps=sum(len(section.gaps) for section in made),
        notices=notices,
    )


def _weight(kind: str) -> int:
    """Harm to patients first: performance, then fairness and sites, then predictions, then inputs."""
    order = (
        "drift.input",
        "explainability",
        "drift.prediction",
        "calibration",
        "generalizability",
        "fairness",
        "performance",
        "drift.performance",
    )
    return max((place for place, start in enumerate(order) if kind.startswith(start)), default=0)
