"""The client package: nothing lost while the server is away, nothing twice when it comes back."""

import sys
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "client" / "src"))

import httpx
from vigil_client import Refused, Vigil

from accounts.models import Role
from accounts.tokens import issue_token
from monitoring.models import Label, PredictionBatch
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db
ROWS = [{"case_id": f"c{at}", "study_time": "2026-03-01T08:00:00Z", "score": at / 10} for at in range(5)]


class Network(httpx.BaseTransport):
    """The instance behind a line that may be cut before the request arrives or before its answer does."""

    def __init__(self, client):
        self.client, self.plan, self.seen = client, [], 0

    def handle_request(self, request):
        self.seen += 1
        step = self.plan.pop(0) if self.plan else "ok"
        if step == "away":
            raise httpx.ConnectError("no route")
        if isinstance(step, int):
            return httpx.Response(step)
        head = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        answer = self.client.generic(
            request.method, request.url.raw_path.decode(), request.read(),
            content_type=head.pop("content-type", ""), headers=head,
        )  # fmt: skip
        if step == "answer lost":
            raise httpx.ReadTimeout("the answer did not come")
        return httpx.Response(answer.status_code, content=answer.content, headers={"Content-Type": "application/json"})


@pytest.fixture
def network(client):
    return Network(client)


@pytest.fixture
def vigil(network, tmp_path):
    deployment = DeploymentFactory()
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=deployment.organisation, person=lead, name="loop", verbs=["send_predictions"])[1]
    return Vigil(
        "http://testserver", deployment=str(deployment.pk), token=secret, spool=tmp_path / "spool", transport=network,
        sleep=lambda seconds: None,
    )  # fmt: skip


def test_a_frame_goes_in_and_its_batch_can_be_asked_for(vigil):
    frame = pd.DataFrame(ROWS).assign(
        study_time=datetime.fromisoformat("2026-03-01T08:00:00+00:00"), q_snr=float("nan")
    )
    answer = vigil.log_predictions(frame)
    assert (answer["accepted"], vigil.waiting) == (5, 0)
    assert vigil.batch(answer["id"])["accepted"] == 5


def test_while_the_server_is_away_rows_wait_and_go_in_once_it_is_back(vigil, network):
    network.plan = ["away"] * 3
    assert vigil.log_predictions(ROWS[:2]) is None
    network.plan = [503, "away", 502]
    assert vigil.log_predictions(ROWS[2:]) is None
    assert (vigil.waiting, PredictionBatch.objects.count()) == (2, 0)
    assert vigil.flush()
    assert sum(batch.accepted for batch in PredictionBatch.objects.all()) == 5
    assert vigil.waiting == 0


def test_an_answer_that_is_lost_doubles_nothing(vigil, network):
    network.plan = ["answer lost", "answer lost"]
    assert vigil.log_predictions(ROWS)["accepted"] == 5
    assert network.seen == 3
    assert PredictionBatch.objects.get().duplicates == 0


def test_a_refusal_for_good_is_set_aside_with_its_sentence_and_holds_nothing_up(vigil, network, tmp_path):
    with pytest.raises(Refused, match="column study_time is not there"):
        vigil.log_predictions([{"case_id": "a"}])
    (told,) = (tmp_path / "spool" / "refused").glob("*.txt")
    assert "study_time" in told.read_text()
    assert vigil.log_predictions(ROWS)["accepted"] == 5


def test_labels_go_the_same_way(vigil):
    assert vigil.log_labels([{"case_id": "c1", "label": 1}])["accepted"] == 1
    assert Label.objects.count() == 1


def test_what_cannot_be_sent_is_told_at_once(vigil):
    with pytest.raises(TypeError, match="cannot be sent"):
        vigil.log_predictions([{"case_id": object()}])
    with pytest.raises(ValueError, match="no rows"):
        vigil.log_predictions([])
    assert vigil.waiting == 0
