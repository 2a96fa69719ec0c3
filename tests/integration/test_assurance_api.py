"""The HTTP door of submissions: open one, take its steps, what a stranger gets."""

import json

import pytest

from accounts.tokens import issue_token
from assurance.models import Submission
from tests.sandbox import PASSWORD, fill, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def cast(db):
    return make_cast()


def token(cast, name="approver", verbs=("edit_submission", "see")):
    return issue_token(
        organisation=cast.submission.organisation, person=cast.people[name], name="pipeline", verbs=list(verbs)
    )[1]


def send(client, secret, path, body):
    return client.post(
        f"/api/v1/submissions{path}", data=json.dumps(body), content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )  # fmt: skip


def body_for(cast, **changes):
    submission = cast.submission
    return {
        "organisation": submission.organisation.slug, "regulator": submission.regulator.slug,
        "version": cast.version.pk, "title": "By the pipeline", "profile": "plain",
        "deployments": [submission.deployments.get().slug],
    } | changes  # fmt: skip


def test_a_draft_is_opened_and_says_what_is_missing(client, cast):
    answer = send(client, token(cast), "", body_for(cast))
    assert answer.status_code == 201
    body = answer.json()
    assert body["state"] == "draft" and Submission.objects.get(pk=body["id"]).title == "By the pipeline"
    step = next(step for step in body["next"] if step["transition"] == "t02")
    assert any("risk_management" in text for text in step["missing"])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [({"profile": "no-such"}, 422, "unknown_profile"), ({"regulator": "nobody"}, 422, "wrong_regulator"),
     ({"deployments": ["elsewhere"]}, 422, "other_version"), ({"title": " "}, 422, "no_title")],
)  # fmt: skip
def test_a_wrong_word_is_refused_with_its_code(client, cast, changes, status, code):
    answer = send(client, token(cast), "", body_for(cast, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Submission.objects.count() == 1


def test_steps_are_taken_and_refused_with_what_is_missing(client, cast):
    secret = token(cast)
    path = f"/{cast.submission.pk}/transitions"
    assert send(client, secret, path, {"transition": "t99"}).json()["code"] == "unknown_transition"
    assert send(client, secret, path, {"transition": "t02"}).status_code == 403  # the token acts for the approver
    fill(cast)
    cast.move("t02", "author")
    refused = send(client, secret, path, {"transition": "t04", "password": "wrong", "code": "1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "signature_refused")
    taken = send(client, secret, path, {"transition": "t04", "password": PASSWORD, "code": cast.code("approver")})
    assert (taken.status_code, taken.json()["state"]) == (200, "ready")


def test_a_stranger_gets_404_and_a_token_without_the_verb_403(client, cast):
    other = make_cast()
    path = f"/{cast.submission.pk}/transitions"
    assert send(client, token(other), path, {"transition": "t02"}).status_code == 404
    assert send(client, token(other), "", body_for(cast)).status_code == 404
    assert send(client, token(cast, verbs=("see",)), path, {"transition": "t02"}).status_code == 403
    assert send(client, "vgl_nothing", path, {"transition": "t02"}).status_code == 401
    client.force_login(other.people["decider"])
    assert client.get(f"/api/v1/submissions/{cast.submission.pk}").status_code == 404
