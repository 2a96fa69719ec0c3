"""Embeddings as day states, the provisional reference after an update, and a plan replayed over what is stored."""

import json
from datetime import date
from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from assurance.models import FindingRecord
from monitoring.drift.embedding import EmbeddingState
from monitoring.drift.moments import MomentState
from monitoring.drift.ruler import Ruler
from monitoring.models import EmbeddingDay, ReferenceEmbedding
from monitoring.services.day_states import summarise_batch
from monitoring.services.embedding_days import blocks_between, fill_days, reference_blocks
from monitoring.services.intake import accept_batch
from monitoring.services.references import reference_of
from monitoring.services.windows import compute_due
from monitoring.windows.calendar import Span
from monitoring.windows.cases import cases_of
from tests.integration.test_windows_explained import TODAY, deployed, found, rows

pytestmark = pytest.mark.django_db
FEBRUARY = Span(date(2026, 2, 1), date(2026, 3, 1))


def deliver(deployment, seed, **options):
    content = rows(np.random.default_rng(seed), site="north", **options)
    batch = accept_batch(deployment, content=content, media_type="text/csv")
    summarise_batch(batch.pk)
    return batch


def whole(blocks):
    sums, moments = blocks[0]
    for other_sums, other_moments in blocks[1:]:
        sums, moments = sums.merge(other_sums), moments.merge(other_moments)
    return sums, moments


def expected(deployment, span):
    """The states straight from the rows, in one piece."""
    row = ReferenceEmbedding.objects.get(reference=reference_of(deployment))
    ruler = Ruler.from_bytes(bytes(row.ruler))
    vectors = cases_of(deployment, span).embeddings
    sums = EmbeddingState.from_values(vectors, bandwidth=ruler.bandwidth, seed=ruler.seed, features=ruler.features)
    return sums, MomentState.from_values((vectors - ruler.centre) @ ruler.axes)


def agree(deployment, span):
    blocks = blocks_between(reference_of(deployment), span.start, span.end)[0][""]
    sums, moments = whole(blocks)
    direct, of_moments = expected(deployment, span)
    assert sums.n == direct.n and np.array_equal(sums.total, direct.total)
    assert np.allclose(moments.covariance, of_moments.covariance, rtol=1e-9, atol=1e-12)
    return sums.n


def test_days_add_up_to_the_rows_whatever_came_late_twice_or_corrected():
    deployment = deployed({"context": False, "permutations": 999}, images=0.5)
    reference = reference_of(deployment)
    assert sum(one.n for one, _ in reference_blocks(reference)) == 900
    assert agree(deployment, FEBRUARY) == 700
    mmd = found(deployment, quantity="rff_mmd", stratum="").content
    assert mmd["details"]["blocks"] == [20, 28] and mmd["n_cases"] == 700 and mmd["state"] == "act"
    assert not EmbeddingDay.objects.filter(used_at=None).exists()

    late = deliver(deployment, 11, start=(2, 3), n=40, days=4, prefix="late")
    summarise_batch(late.pk)  # a message that comes twice
    assert agree(deployment, FEBRUARY) == 740
    assert set(EmbeddingDay.objects.filter(current=True).values_list("revision", flat=True)) == {1, 2}

    deliver(deployment, 12, start=(2, 3), n=40, days=4, prefix="late")  # the same cases with other vectors
    compute_due(deployment, today=TODAY)
    assert agree(deployment, FEBRUARY) == 740
    assert compute_due(deployment, today=TODAY) == 0
    assert fill_days(deployment, reference) == 0


def test_after_an_update_the_site_is_also_compared_with_its_first_two_weeks():
    deployment = deployed({"permutations": 999, "embedding": ["rff_mmd", "frechet"]}, images=0.6,
                          software=("VB41", "VB50"))  # fmt: skip
    assert not FindingRecord.objects.filter(deployment=deployment, stratum__contains="software=").exists()
    deliver(deployment, 21, start=(3, 1), n=700, days=28, prefix="m", images=0.6, software="VB50")
    compute_due(deployment, today=TODAY)
    march = {"window_start__date": date(2026, 3, 1)}
    assert found(deployment, quantity="rff_mmd", stratum="", **march).state == "act"  # against the frozen reference
    own = {"stratum": "site=north;software=VB50", **march}
    quiet = found(deployment, quantity="rff_mmd", **own)
    assert quiet.state in ("ok", "insufficient") and quiet.content["null"]["p_value"] > 0.01
    assert quiet.content["reference"].startswith("provisional, 2026-02-15 to 2026-03-01")
    assert found(deployment, quantity="frechet", **own).content["null"]["p_value"] > 0.01
    noise = found(deployment, quantity="w1_sd", signal="q_noise", **own)
    assert noise.state in ("ok", "insufficient") and noise.content["details"]["provisional"]["to"] == "VB50"
    assert noise.content["n_reference"] == pytest.approx(350, abs=40) and noise.n_cases == 700


def test_a_plan_replayed_over_history_counts_false_alarms_and_the_delay(tmp_path):
    deployment = deployed({"context": False})  # a quiet February
    deliver(deployment, 31, start=(3, 1), n=700, days=28, prefix="m", images=0.6)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"window_days": 28, "start": "2026-02-01", "second_opinion": False, "context": False}))
    stored = FindingRecord.objects.count()
    told = StringIO()
    call_command(
        "replay", deployment.slug, "--plan", str(plan), "--change", "2026-03-01", "--until", "2026-03-31", "--json",
        stdout=told, stderr=StringIO(),
    )  # fmt: skip
    answer = json.loads(told.getvalue())
    assert answer["windows"] == 2 and answer["false_alarms"] == 0 and answer["delay_days"] == 28
    assert [alarm["signal"] for alarm in answer["alarms"]] == ["embedding"]
    assert FindingRecord.objects.count() == stored
