"""Facts and checks of a stored card revision: the registry's names and the numbers that it cites."""

from typing import Any

from assurance import regulation
from assurance.cards.exchange import CardFacts
from assurance.cards.plausibility import Problem, problems_in
from assurance.models import CardRevision, FindingRecord, ModelVersion
from assurance.selectors.cards import cited_findings


def facts_of(version: ModelVersion, revision: CardRevision | None) -> CardFacts:
    cited = cited_findings(revision) if revision else {}
    return CardFacts(
        model=version.model.name, version=version.version, developer=version.model.organisation.name,
        task=version.model.task, modality=version.model.modality, licence=version.licence,
        weights_sha256=version.weights_sha256, findings={key: numbers_of(row) for key, row in cited.items()},
    )  # fmt: skip


def numbers_of(record: FindingRecord) -> dict[str, Any]:
    interval = record.content.get("interval") or {}
    return {
        "metric": record.quantity, "value": record.value, "ci_low": interval.get("low"),
        "ci_high": interval.get("high"), "ci_level": interval.get("level"), "n": record.n_cases,
        "unit": record.content.get("unit"), "stratum": record.stratum or None,
    }  # fmt: skip


def problems_of(revision: CardRevision) -> list[Problem]:
    return problems_in(revision.answers, regulation.card_schema(), facts_of(revision.card.version, revision))
