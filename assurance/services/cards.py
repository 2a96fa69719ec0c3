"""Writing model cards: saved as one writes, then kept as revisions that never change."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from assurance import regulation
from assurance.cards.answers import checked_answers, difference, findings_in
from assurance.cards.exchange import Read
from assurance.cards.fields import CardSchema
from assurance.evidence.errors import InvalidInput
from assurance.models import CardRevision, Deployment, FindingRecord, ModelCard, ModelVersion
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event


def ensure_card(version: ModelVersion, *, layer: str = "developer", deployment: Deployment | None = None) -> ModelCard:
    if layer not in ModelCard.Layer.values:
        raise InvalidInput("unknown_layer", f"layer {layer!r}: give developer or local")
    if (layer == "local") != (deployment is not None):
        raise InvalidInput(
            "wrong_layer", f"layer {layer!r}: a local layer names its deployment, a developer's has none"
        )
    if deployment is not None and deployment.version_id != version.pk:
        raise InvalidInput(
            "other_version", f"{deployment} runs {deployment.version}, not {version}: write its own card"
        )
    card, _ = ModelCard.objects.get_or_create(version=version, layer=layer, deployment=deployment)
    return card


@transaction.atomic
def save_card(
    version: ModelVersion, *, answers: Mapping[str, Any], by: Actor, layer: str = "developer",
    deployment: Deployment | None = None, reason: str = "",
) -> CardRevision:  # fmt: skip
    """Keep ``answers`` as the next revision of the card of ``version``. The same answers again are no new revision.

    Raises
    ------
    InvalidInput
        An answer is not in the shape of the schema, or cites a Finding that is not on this instance or of another
        version; the message names the field.
    """
    card = ensure_card(version, layer=layer, deployment=deployment)
    card = ModelCard.objects.select_for_update().get(pk=card.pk)
    schema = regulation.card_schema()
    kept = checked_answers(answers, schema)
    _check_layer(kept, schema, layer)
    _check_citations(kept, version)
    last = card.latest()
    sha256 = content_hash(kept)
    if last is not None and last.sha256 == sha256:
        _clear_draft(card)
        return last
    number = last.number + 1 if last else 1
    revision = CardRevision.objects.create(
        card=card, number=number, answers=kept, sha256=sha256, author_id=by.person_id, reason=reason
    )
    _clear_draft(card)
    changed = [row["field"] for row in difference(last.answers if last else {}, kept)]
    record_event(
        action="card.revise", subject=card, by=by, reason=reason,
        old={"revision": last.number, "sha256": last.sha256} if last else None,
        new={"revision": number, "sha256": sha256, "fields": changed},
    )  # fmt: skip
    return revision


@transaction.atomic
def save_draft(card: ModelCard, *, field: str, answer: Mapping[str, Any] | None, by: Actor) -> ModelCard:
    """Keep one answer of the working copy. None takes the field back to unanswered. The trail records revisions only
    and the start of a draft, since a draft is nobody's statement yet."""
    card = ModelCard.objects.select_for_update().get(pk=card.pk)
    regulation.card_schema().field(field)
    if card.draft_at is None:
        last = card.latest()
        card.draft = dict(last.answers) if last else {}
        record_event(action="card.draft", subject=card, by=by, new={"from_revision": last.number if last else 0})
    if answer is None:
        card.draft.pop(field, None)
    else:
        card.draft[field] = checked_answers({field: answer}, regulation.card_schema())[field]
        _check_citations({field: card.draft[field]}, card.version)
    card.draft_by_id, card.draft_at = by.person_id, timezone.now()
    card.save(update_fields=("draft", "draft_by", "draft_at"))
    return card


def publish_draft(card: ModelCard, *, by: Actor, reason: str) -> CardRevision:
    """Make the working copy the next revision."""
    if card.draft_at is None:
        raise InvalidInput("no_draft", f"{card} has no changes since its last revision: change a field first")
    return save_card(
        card.version, answers=card.draft, by=by, layer=card.layer, deployment=card.deployment, reason=reason
    )


@transaction.atomic
def publish_card(card: ModelCard, *, public: bool, by: Actor) -> None:
    """Open or close the printed card to readers without an account."""
    if public and card.latest() is None:
        raise InvalidInput("no_revision", f"{card} has no revision yet: save one before it is made public")
    ModelCard.objects.filter(pk=card.pk).update(public=public)
    record_event(action="card.publish" if public else "card.unpublish", subject=card, by=by, new={"public": public})


def _clear_draft(card: ModelCard) -> None:
    card.draft, card.draft_by, card.draft_at = {}, None, None
    card.save(update_fields=("draft", "draft_by", "draft_at"))


def _check_layer(answers: Mapping[str, Any], schema: CardSchema, layer: str) -> None:
    if layer == "developer":
        for key in answers:
            if schema.field(key).local and answers[key]["status"] == "answered":
                raise InvalidInput("local_field", f"{key} is answered by the deploying hospital in its local layer")


def _check_citations(answers: Mapping[str, Any], version: ModelVersion) -> None:
    cited = findings_in(answers)
    rows = FindingRecord.objects.filter(digest__in=list(cited)).select_related("deployment")
    known: dict[str, list[FindingRecord]] = {}
    for row in rows:
        known.setdefault(row.digest, []).append(row)
    for digest, fields in cited.items():
        if digest not in known:
            raise InvalidInput("unknown_finding", f"{fields[0]} cites Finding {digest[:12]}, which is not on file here")
        if not any(_of_version(row, version) for row in known[digest]):
            raise InvalidInput(
                "other_version", f"{fields[0]} cites Finding {digest[:12]}, which was computed on another version"
            )


def _of_version(row: FindingRecord, version: ModelVersion) -> bool:
    named = {row.version_id, row.deployment.version_id if row.deployment else None} - {None}
    return not named or version.pk in named


@transaction.atomic
def import_draft(
    card: ModelCard, *, read: Read, source: str, by: Actor
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Lay the answers of a foreign card over the draft. Returns the draft before and after, and what did not fit.

    Findings that are not on this instance cannot be cited: their fields lose the reference and are listed.
    """
    card = ModelCard.objects.select_for_update().get(pk=card.pk)
    last = card.latest()
    before = dict(card.draft if card.draft_at else (last.answers if last else {}))
    left = list(read.left_over)
    kept: dict[str, Any] = {}
    for key, answer in read.answers.items():
        try:
            one = checked_answers({key: answer}, regulation.card_schema())
            _check_layer(one, regulation.card_schema(), card.layer)
            _check_citations(one, card.version)
        except InvalidInput as refusal:
            left.append(refusal.message)
        else:
            kept |= one
    card.draft, card.draft_by_id, card.draft_at = {**before, **kept}, by.person_id, timezone.now()
    card.save(update_fields=("draft", "draft_by", "draft_at"))
    record_event(
        action="card.import", subject=card, by=by, reason=source, new={"fields": sorted(kept), "left_over": len(left)}
    )
    return before, card.draft, left
