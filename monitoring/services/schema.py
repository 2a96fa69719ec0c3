"""What a deployment's rows may look like: sites, version, rules, and the columns with every change noted."""

import hmac
import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Person
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.intake.formats import FORMATS
from monitoring.intake.rows import CheckedRows, Expected
from monitoring.models import FeatureSchema, IntakeRules, PredictionBatch, SchemaEvent, Signal
from records.actor import Actor
from records.services import record_event


def rules_of(deployment: Deployment) -> IntakeRules:
    return IntakeRules.objects.filter(deployment=deployment).first() or IntakeRules(deployment=deployment)


def expected_of(deployment: Deployment) -> Expected:
    rules = rules_of(deployment)
    patterns = {"canary": rules.canary_pattern, "phantom": rules.phantom_pattern}
    return Expected(
        sites=dict(deployment.sites.order_by("code").values_list("code", "time_zone")),
        version=deployment.version.version, now=timezone.now(),
        signals={name: kind for name, kind in deployment.signals.values_list("name", "kind") if kind != "score"},
        control_patterns={kind: pattern for kind, pattern in patterns.items() if pattern},
    )  # fmt: skip


def note_columns(batch: PredictionBatch, rows: CheckedRows) -> None:
    """Give every new column its place after those that exist; it is taken in at once and told as an event."""
    deployment = batch.deployment
    known = dict(deployment.signals.values_list("name", "kind"))
    wanted = [("score", Signal.Kind.SCORE)] if rows.score is not None else []
    wanted += [(name, Signal.Kind.NUMERIC) for name in rows.numbers]
    wanted += [(name, Signal.Kind.CATEGORICAL) for name in rows.levels]
    places = {kind: list(known.values()).count(kind) for kind in Signal.Kind.values}
    fresh = []
    for name, kind in wanted:
        if name in known:
            continue
        family = "input" if name.startswith(("meta_", "q_")) else "output"
        fresh.append(Signal(deployment=deployment, name=name, kind=kind, family=family, position=places[kind]))
        places[kind] += 1
    Signal.objects.bulk_create(fresh)
    batch.new_columns = [*batch.new_columns, *(one.name for one in fresh)]
    seen = {name for name, _ in wanted}
    absent = sorted(set(known) - seen - set(batch.new_columns)) if is_table(batch) else []
    batch.missing_columns = absent if not batch.chunks_done else sorted(set(batch.missing_columns) & set(absent))


def is_table(batch: PredictionBatch) -> bool:
    """A table is whole; the objects of a study bring their columns one delivery after the other."""
    return batch.media_type.partition(";")[0].strip().lower() in FORMATS


@transaction.atomic
def settle_columns(batch: PredictionBatch) -> None:
    """Schema events of a whole delivery, and a new revision of the schema when it brought columns."""
    deployment = batch.deployment
    kinds = SchemaEvent.Kind
    last = dict(SchemaEvent.objects.filter(deployment=deployment).order_by("at", "pk").values_list("column", "kind"))
    events = [(kinds.NEW, name, "") for name in batch.new_columns]
    # A column that stays away is told once, not with every delivery.
    events += [(kinds.MISSING, name, "") for name in batch.missing_columns if last.get(name) != kinds.MISSING]
    present = set(deployment.signals.values_list("name", flat=True)) - set(batch.missing_columns)
    if is_table(batch):
        events += [(kinds.BACK, name, "") for name in sorted(present) if last.get(name) == kinds.MISSING]
    for told, count in batch.removed.items():
        column, _, why = told.removeprefix("column ").partition(": ")
        if told.startswith("column ") and last.get(column) != kinds.DROPPED:
            events.append((kinds.DROPPED, column, f"{why} ({count} cells)"))
    if batch.rows > batch.rejected:
        SchemaEvent.objects.bulk_create(
            [
                SchemaEvent(deployment=deployment, batch=batch, kind=kind, column=column[:120], detail=detail[:200])
                for kind, column, detail in events
            ]
        )
    newest = deployment.schemas.first()
    if batch.new_columns or (newest is None and present):
        FeatureSchema.objects.create(
            deployment=deployment, revision=newest.revision + 1 if newest else 1, batch=batch,
            columns=columns_of(deployment),
        )  # fmt: skip


def columns_of(deployment: Deployment) -> list[dict[str, str]]:
    return [
        {"name": one.name, "kind": one.kind, "family": one.family}
        for one in deployment.signals.order_by("kind", "position")
    ]


@transaction.atomic
def confirm_schema(schema: FeatureSchema, *, person: Person, by: Actor) -> FeatureSchema:
    """A person has looked at the columns and found them right."""
    schema = FeatureSchema.objects.select_for_update().get(pk=schema.pk)
    if schema.status == FeatureSchema.Status.CONFIRMED:
        return schema
    schema.status, schema.confirmed_by, schema.confirmed_at = FeatureSchema.Status.CONFIRMED, person, timezone.now()
    schema.save(update_fields=("status", "confirmed_by", "confirmed_at"))
    record_event(
        action="schema.confirm", subject=schema.deployment, by=by,
        new={"revision": schema.revision, "columns": [column["name"] for column in schema.columns]},
    )  # fmt: skip
    return schema


@transaction.atomic
def set_rules(
    deployment: Deployment, *, canary_pattern: str, phantom_pattern: str, dates: str, by: Actor
) -> IntakeRules:
    """Change how control studies are recognised and dates are treated; rows that are in stay as they are."""
    for name, pattern in (("canary_pattern", canary_pattern), ("phantom_pattern", phantom_pattern)):
        if len(pattern) > 200:
            raise InvalidInput("too_long", f"{name} has {len(pattern)} characters: give at most 200")
        check_pattern(name, pattern)
    if dates not in IntakeRules.Dates.values:
        raise InvalidInput("unknown_policy", f"dates {dates!r}: give {' or '.join(IntakeRules.Dates.values)}")
    before = rules_of(deployment)
    old = {"canary_pattern": before.canary_pattern, "phantom_pattern": before.phantom_pattern, "dates": before.dates}
    new = {"canary_pattern": canary_pattern, "phantom_pattern": phantom_pattern, "dates": dates}
    if old["dates"] != dates and deployment.batches.exists():
        raise InvalidInput("dates_in_use", f"dates {dates!r}: the policy cannot change once a delivery is in")
    rules, _ = IntakeRules.objects.update_or_create(deployment=deployment, defaults=new)
    record_event(action="intake.rules", subject=deployment, by=by, old=old, new=new)
    return rules


def check_pattern(name: str, pattern: str) -> None:
    """The engine of Arrow (RE2) knows neither look-around nor back-references, so nothing can run for ever."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        re.compile(pattern)
        pc.match_substring_regex(pa.array(["x"]), pattern)
    except (re.error, pa.ArrowInvalid) as error:
        raise InvalidInput("bad_pattern", f"{name} {pattern!r} is not a regular expression: {error}") from error


def dated(deployment: Deployment, rows: CheckedRows) -> CheckedRows:
    """Rows with their times as the deployment's policy wants them."""
    if rules_of(deployment).dates == IntakeRules.Dates.KEPT:
        return rows
    shift = np.timedelta64(weeks_back(deployment.organisation_id) * 7, "D").astype("timedelta64[us]")
    return replace(rows, study_time=rows.study_time - shift, label_time=rows.label_time - shift)


def weeks_back(organisation_id: int) -> int:
    """1 to 52 whole weeks, secret, the same for all of an organisation: weekdays and distances between studies stay."""
    digest = hmac.digest(settings.PSEUDONYM_KEY.encode(), f"dates\x00{organisation_id}".encode(), "sha256")
    return 1 + int.from_bytes(digest[:8], "big") % 52


def shift_of(deployment: Deployment) -> timedelta:
    kept = rules_of(deployment).dates == IntakeRules.Dates.KEPT
    return timedelta(0) if kept else timedelta(weeks=weeks_back(deployment.organisation_id))
