"""A large fleet for measuring pages: made of random numbers inside PostgreSQL, never shown as anything else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

Say = Callable[[str], None]
START = date(2023, 1, 2)
STRATA = ("", "site=north", "site=south")

# One windowed finding for each deployment, week, signal, quantity and stratum, in the shape of a real one. In every
# third deployment the first four signals leave the reference in the last ten weeks.
DRIFT = """
INSERT INTO assurance_findingrecord (digest, family, quantity, signal, stratum, deployment_id, version_id, value, state,
    n_cases, window_start, window_end, content, computed_at)
SELECT encode(sha256(convert_to(content::text, 'UTF8')), 'hex'), family, quantity, signal, stratum, deployment_id,
    version_id, value, state, n, window_start, window_end, content, window_end
FROM (
    SELECT *, CASE WHEN value >= act THEN 'act' WHEN value >= watch THEN 'watch' ELSE 'ok' END AS state,
        jsonb_build_object('quantity', quantity, 'signal', signal, 'value', value, 'unit', '1', 'state',
            CASE WHEN value >= act THEN 'act' WHEN value >= watch THEN 'watch' ELSE 'ok' END, 'interval', NULL,
            'null', jsonb_build_object('law', 'multinomial draws from the reference', 'quantiles',
                jsonb_build_object('0.5', watch / 6, '0.95', watch / 3, '0.99', watch / 2, '0.999', watch / 1.6),
                'p_value', 0.31),
            'effect', value, 'n_cases', n, 'n_patients', n, 'minimum_n', 190, 'reference', 'bench 000000000000',
            'n_reference', 2000, 'window', jsonb_build_object('start', window_start, 'end', window_end), 'stratum',
            '{}'::jsonb, 'model_version', 'bench', 'method', jsonb_build_object('key', quantity, 'implementation',
                'vigil', 'version', '1', 'seed', 0, 'parameters', jsonb_build_object('watch', watch, 'act', act,
                'alpha_watch', 0.01, 'alpha_act', 0.001, 'draws', 500)), 'input_digest', md5(random()::text), 'reason',
            '', 'details', jsonb_build_object('second_opinion', jsonb_build_object('tool', 'bench', 'method', 'ks',
                'value', value, 'threshold', 0.1, 'drift', value > 0.1, 'differs_because', ''))) AS content
    FROM (
        SELECT d.id AS deployment_id, d.version_id, s.name AS signal, s.family, q.quantity, q.watch, q.act, t.stratum,
            %(start)s::timestamptz + w * interval '7 days' AS window_start,
            %(start)s::timestamptz + (w + 1) * interval '7 days' AS window_end, (180 + random() * 60)::int AS n,
            q.watch * (0.15 + 0.45 * random()
                + CASE WHEN d.place %% 3 = 0 AND s.position < 4 AND w > %(weeks)s - 10 THEN 2.2 ELSE 0 END) AS value
        FROM (SELECT id, version_id, row_number() OVER (ORDER BY slug) AS place FROM assurance_deployment) d
        JOIN monitoring_signal s ON s.deployment_id = d.id
        CROSS JOIN (VALUES ('w1_sd', 0.2, 0.5), ('ks', 0.08, 0.197), ('psi', 0.038, 0.238), ('js', 0.083, 0.204))
            AS q (quantity, watch, act)
        CROSS JOIN unnest(%(strata)s::text[]) AS t (stratum)
        CROSS JOIN generate_series(0, %(weeks)s - 1) AS w
        WHERE d.place = %(place)s
    ) AS raw
) AS made
"""
PERFORMANCE = """
INSERT INTO assurance_findingrecord (digest, family, quantity, signal, stratum, deployment_id, version_id, value, state,
    n_cases, window_start, window_end, content, computed_at)
SELECT encode(sha256(convert_to(content::text, 'UTF8')), 'hex'), family, quantity, '', stratum, deployment_id,
    version_id, value, 'ok', n, window_start, window_end, content, window_end
FROM (
    SELECT *, jsonb_build_object('quantity', quantity, 'signal', '', 'value', value, 'unit', unit, 'state', 'ok',
        'interval', CASE WHEN quantity = 'volume' THEN NULL ELSE jsonb_build_object('low', value - 0.03, 'high',
            value + 0.03, 'level', 0.95, 'method', 'delong') END, 'null', NULL, 'n_cases', n, 'reason', '', 'window',
        jsonb_build_object('start', window_start, 'end', window_end), 'stratum', '{}'::jsonb, 'details', '{}'::jsonb,
        'method', jsonb_build_object('key', quantity, 'implementation', 'vigil', 'version', '1')) AS content
    FROM (
        SELECT d.id AS deployment_id, d.version_id, q.family, q.quantity, q.unit, t.stratum,
            (180 + random() * 60)::int AS n, q.centre * (0.97 + 0.06 * random()) AS value,
            %(start)s::timestamptz + w * interval '7 days' AS window_start,
            %(start)s::timestamptz + (w + 1) * interval '7 days' AS window_end
        FROM assurance_deployment d
        CROSS JOIN (VALUES ('performance', 'auroc', '1', 0.88), ('performance', 'estimated_accuracy', '1', 0.84),
            ('input', 'volume', 'cases', 210.0)) AS q (family, quantity, unit, centre)
        CROSS JOIN unnest(%(strata)s::text[]) AS t (stratum)
        CROSS JOIN generate_series(0, %(weeks)s - 1) AS w
    ) AS raw
) AS made
"""
PREDICTIONS = """
INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, "case", patient, study_time,
    received_at, site, score, decision, numbers, levels)
SELECT d.id, d.organisation_id, d.version_id, b.id, lpad(to_hex(i), 32, '0'), lpad(to_hex(i / 2), 32, '0'), at, at,
    (ARRAY['north', 'south'])[1 + i %% 2], random(), '', ARRAY[random(), random(), random(), random()], ARRAY['F', 'PA']
FROM (SELECT id, organisation_id, version_id FROM assurance_deployment ORDER BY slug OFFSET %(place)s - 1 LIMIT 1) d
JOIN monitoring_predictionbatch b ON b.deployment_id = d.id
CROSS JOIN LATERAL (SELECT i, %(start)s::timestamptz + random() * %(weeks)s * interval '7 days' AS at
    FROM generate_series(1, %(rows)s::int) AS i) AS r
"""
# Where each case's row stands, as the intake writes it beside the row.
PLACES = """
INSERT INTO monitoring_caseplace (deployment_id, version_id, organisation_id, study_time, "case")
SELECT p.deployment_id, p.version_id, p.organisation_id, p.study_time, p."case" FROM monitoring_prediction p
WHERE p.deployment_id = (SELECT id FROM assurance_deployment ORDER BY slug OFFSET %(place)s - 1 LIMIT 1)
ORDER BY p."case" ON CONFLICT DO NOTHING
"""


def fill(*, predictions: int, deployments: int, weeks: int, signals: int, say: Say) -> dict[str, int]:
    """Make the fleet of these sizes, unless it is there; what was counted."""
    from accounts import row_security

    row_security.see_everything()
    wanted = {"predictions": predictions, "deployments": deployments, "weeks": weeks, "signals": signals}
    counts = _counts()
    if counts["deployments"] not in (0, deployments):
        raise SystemExit(f"the instance holds {counts['deployments']} deployments: remove its folder for other sizes")
    place = {"start": datetime.combine(START, datetime.min.time(), tzinfo=UTC), "weeks": weeks, "strata": list(STRATA)}
    if not counts["deployments"]:
        with transaction.atomic():
            _people_and_deployments(deployments, signals)
            for number in range(1, deployments + 1):
                _run(DRIFT, {**place, "place": number})
            _run(PERFORMANCE, place)
        say(f"made {deployments} deployments with {signals} signals in {weeks} weeks")
    _months(weeks)
    here = counts["predictions"]
    for number in range(1, deployments + 1):
        if here < predictions and not _has("monitoring_prediction", number):
            _run(PREDICTIONS, {**place, "place": number, "rows": -(-predictions // deployments)})
            say(f"predictions of deployment {number} of {deployments}")
        if not _has("monitoring_caseplace", number):
            _run(PLACES, {"place": number})
    _settle()
    return {**wanted, **_counts()}


def _people_and_deployments(deployments: int, signals: int) -> None:
    from accounts.models import Membership, Organisation, Person, Role, Site
    from assurance.models import Deployment, Model, ModelVersion
    from monitoring.models import PredictionBatch, Signal

    hospital = Organisation.objects.create(name="Bench hospital", slug="bench", kind=Organisation.Kind.HOSPITAL)
    maker = Organisation.objects.create(name="Bench developer", slug="bench-dev", kind=Organisation.Kind.DEVELOPER)
    person = Person.objects.create_user("bench@hospital.example", name="Bench")
    Membership.objects.create(person=person, organisation=hospital, role=Role.HOSPITAL_QA)
    sites = [Site.objects.create(organisation=hospital, code=code, name=code.title()) for code in ("north", "south")]
    model = Model.objects.create(
        organisation=maker, name="Bench model", slug="bench-model", kind="device", task="classification", modality="CR"
    )
    version = ModelVersion.objects.create(
        model=model, version="1.0", adapter_key="bench", weights_sha256="0" * 64, preprocessing_sha256="0" * 64,
        thresholds_sha256="0" * 64, licence="Apache-2.0",
    )  # fmt: skip
    for number in range(deployments):
        deployment = Deployment.objects.create(
            slug=f"bench-{number:03d}", name=f"Bench deployment {number:03d}", organisation=hospital, version=version
        )
        deployment.sites.set(sites)
        PredictionBatch.objects.create(
            organisation=hospital, deployment=deployment, idempotency_key="bench", content_sha256="0" * 64, rows=0,
            accepted=0, rejected=0,
        )  # fmt: skip
        Signal.objects.bulk_create(
            Signal(
                deployment=deployment, name="score" if place == 0 else f"q_signal_{place:02d}",
                kind="score" if place == 0 else "numeric", family="output" if place == 0 else "input", position=place,
            )
            for place in range(signals)
        )  # fmt: skip


def _settle() -> None:
    """What the server does by itself overnight: statistics and the visibility map, as the tables' owner."""
    import psycopg

    from config import embedded

    with psycopg.connect(embedded.database_url(role=embedded.OWNER), autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE assurance_findingrecord")
        owner.execute("ANALYZE")


def _months(weeks: int) -> None:
    day = START
    while day <= START + timedelta(days=7 * weeks + 31):
        _run("SELECT vigil_prediction_month(%(day)s)", {"day": day})
        day += timedelta(days=28)


def _has(table: str, number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {table} WHERE deployment_id = "
            "(SELECT id FROM assurance_deployment ORDER BY slug OFFSET %s LIMIT 1))", [number - 1],
        )  # fmt: skip
        return bool(cursor.fetchone()[0])


def _counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM monitoring_prediction), (SELECT count(*) FROM assurance_deployment), "
            "(SELECT count(*) FROM assurance_findingrecord)"
        )
        return dict(zip(("predictions", "deployments", "findings"), cursor.fetchone(), strict=True))


def _run(query: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
